//! What there is to call, from the catalog: whatever is added to the extension is called without another word.

use clerk_tests::{Dice, Sql};
use postgres::{Client, Row};

use crate::texts::BAIT;
use crate::values::value;

pub struct Function {
    /// With its schema, quoted.
    pub name: String,
    /// With its argument types, as `ALTER ROUTINE` wants it.
    pub signature: String,
    pub kind: Kind,
    parameters: Vec<(String, String)>,
    required: usize,
    variadic: bool,
    /// Whether the role may call it.
    pub granted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Function,
    Set,
    Trigger,
    EventTrigger,
    Procedure,
}

/// A table or view and its columns with their types.
pub struct Relation {
    pub name: String,
    pub is_table: bool,
    pub columns: Vec<(String, String)>,
}

/// Everything in `clerk` and whatever `expose_api` made of it in other schemas.
const FUNCTIONS: &str = "
    SELECT p.oid::regproc::text, p.oid::regprocedure::text,
        CASE WHEN p.prokind = 'p' THEN 'procedure' WHEN p.prorettype = 'trigger'::regtype THEN 'trigger'
             WHEN p.prorettype = 'event_trigger'::regtype THEN 'event_trigger' WHEN p.proretset THEN 'set' ELSE 'function' END,
        ARRAY(SELECT coalesce(p.proargnames[n], '') FROM generate_series(1, p.pronargs) AS n),
        ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n) ORDER BY n),
        (p.pronargs - p.pronargdefaults)::int, p.provariadic <> 0, has_function_privilege($1, p.oid, 'EXECUTE')
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = 'clerk' OR (n.nspname IN ('public', 'api') AND p.proname LIKE 'clerk%')
    ORDER BY p.oid::regprocedure::text COLLATE \"C\"";

const RELATIONS: &str = "
    SELECT c.oid::regclass::text, c.relkind = 'r',
        ARRAY(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
        ARRAY(SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v') AND (n.nspname = 'clerk' OR (n.nspname IN ('public', 'api') AND c.relname LIKE 'clerk%'))
    ORDER BY c.oid::regclass::text COLLATE \"C\"";

const READERS: &[&str] = &[
    "clerk.current_user_id",
    "clerk.current_claims",
    "clerk.whoami",
    "clerk.verify_jwt",
    "clerk.inspect_jwt",
    "clerk.check_request",
    "clerk.authenticate",
    "clerk.receive_webhook",
    "clerk.verify_webhook",
    "clerk.apply_event",
    "clerk.apply_events",
    "clerk.apply_objects",
    "clerk.ensure_current_user",
    "clerk.configure",
    "clerk.configure_mirror",
    "clerk.configure_requests",
    "clerk.refresh_jwks",
    "clerk.import_jwks",
    "clerk.set_secret_key",
    "clerk.add_webhook_signing_secret",
    "clerk.on_event",
    "clerk.maintain",
    "clerk.retry_failed",
    "clerk.replay_event",
    "clerk.prune_webhook_events",
    "clerk.start_backfill",
    "clerk.start_reconcile",
    "clerk.sync_user",
    "clerk.cancel_run",
    "clerk.follow_run",
    "clerk.doctor",
    "clerk.connect_postgrest",
    "clerk.sync_realtime_keys",
];

pub struct Catalog {
    pub functions: Vec<Function>,
    pub relations: Vec<Relation>,
}

impl Catalog {
    /// As it is for this role, read with full names: nothing is on the search path.
    pub fn read(client: &mut Client, role: &str) -> Self {
        client.run("SET search_path = pg_catalog");
        let functions = client
            .query(FUNCTIONS, &[&role])
            .expect("the catalog can be read");
        let relations = client.query(RELATIONS, &[]).expect("the catalog can be read");
        Self {
            functions: functions.iter().map(Function::of).collect(),
            relations: relations
                .iter()
                .map(|row| Relation {
                    name: row.get(0),
                    is_table: row.get(1),
                    columns: pairs(row, 2),
                })
                .collect(),
        }
    }

    /// Mostly what the role may call: what it may not ends at once. Half of the time one that reads many of our tables.
    pub fn function(&self, dice: &mut Dice) -> &Function {
        let name = dice.one_in(2).then(|| dice.pick(READERS));
        let is_it = |function: &&Function| function.granted && Some(function.name.as_str()) == name;
        if let Some(reader) = self.functions.iter().find(is_it) {
            return reader;
        }
        loop {
            let function = &self.functions[dice.below(self.functions.len())];
            if function.granted || dice.one_in(200) {
                return function;
            }
        }
    }

    pub fn relation(&self, dice: &mut Dice) -> &Relation {
        &self.relations[dice.below(self.relations.len())]
    }
}

fn pairs(row: &Row, column: usize) -> Vec<(String, String)> {
    let (names, types): (Vec<String>, Vec<String>) = (row.get(column), row.get(column + 1));
    names.into_iter().zip(types).collect()
}

/// A function with arguments.
pub struct Call<'f> {
    pub function: &'f Function,
    /// Each with the type that it is declared with.
    pub arguments: Vec<(String, String)>,
    variadic: bool,
}

impl Function {
    fn of(row: &Row) -> Self {
        let kind = match row.get(2) {
            "procedure" => Kind::Procedure,
            "trigger" => Kind::Trigger,
            "event_trigger" => Kind::EventTrigger,
            "set" => Kind::Set,
            _ => Kind::Function,
        };
        Self {
            name: row.get(0),
            signature: row.get(1),
            kind,
            parameters: pairs(row, 3),
            required: row.get::<_, i32>(5) as usize,
            variadic: row.get(6),
            granted: row.get(7),
        }
    }

    pub fn call(&self, dice: &mut Dice) -> Call<'_> {
        let nth = dice.below(BAIT);
        let left_out = dice.below(self.parameters.len() - self.required + 1);
        let given = &self.parameters[..self.parameters.len() - left_out];
        let arguments = given
            .iter()
            .map(|(name, data_type)| (value(dice, data_type, name, nth), data_type.clone()))
            .collect();
        Call {
            function: self,
            arguments,
            variadic: self.variadic && left_out == 0,
        }
    }
}

impl Call<'_> {
    /// `clerk.f(…)` with these expressions in the place of its arguments.
    pub fn with(&self, arguments: &[String]) -> String {
        let mut list = arguments.to_vec();
        if let Some(last) = list.last_mut().filter(|_| self.variadic) {
            last.insert_str(0, "VARIADIC ");
        }
        format!("{}({})", self.function.name, list.join(", "))
    }

    pub fn text(&self) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(|(value, _)| value.clone()).collect();
        self.with(&arguments)
    }
}
