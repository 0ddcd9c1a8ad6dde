/*
 * Refuses UPDATE and DELETE without WHERE, also inside functions and WITH: the rule that Supabase has its API's sessions obey by
 * another module, which comes in no package.
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static post_parse_analyze_hook_type others = NULL;

static void
require_where(Query *query)
{
	ListCell   *cell;

	if ((query->commandType == CMD_UPDATE || query->commandType == CMD_DELETE) && query->jointree->quals == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("UPDATE and DELETE need a WHERE clause here")));
	foreach(cell, query->cteList)
		require_where((Query *) lfirst_node(CommonTableExpr, cell)->ctequery);
}

static void
after_analysis(ParseState *state, Query *query, JumbleState *jumble)
{
	require_where(query);
	if (others)
		others(state, query, jumble);
}

void
_PG_init(void)
{
	others = post_parse_analyze_hook;
	post_parse_analyze_hook = after_analysis;
}
