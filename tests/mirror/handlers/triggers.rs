//! Triggers that the extension's owner puts on its tables are the owner's code, whoever causes them to fire.

use clerk_tests::{Cluster, Sql};
use postgres::types::Json;

use super::{user_event, wait_until};

#[test]
fn triggers_of_an_owner_who_is_no_superuser_never_run_as_one() {
    let name = "handlers_triggers";
    let owner_name = format!("{name}_owner");
    let mut superuser = Cluster::shared().superuser();
    superuser.run(&format!("CREATE ROLE {owner_name} LOGIN"));
    superuser.run(&format!("CREATE DATABASE {name} OWNER {owner_name}"));
    let mut owner = Cluster::shared().connect_to(name, &owner_name);
    owner.run(
        "CREATE EXTENSION clerk_sync;
         CREATE TABLE public.fired (name text, role text);
         GRANT INSERT ON public.fired TO PUBLIC;
         CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN INSERT INTO public.fired VALUES (TG_NAME, current_user); RETURN NEW; END';
         CREATE FUNCTION public.note(event jsonb) RETURNS void LANGUAGE sql AS '';
         SELECT clerk.on_event('*', 'public.note')",
    );
    // Deferred ones wait for the end of the transaction, when the caller is the current role again.
    for table in ["users", "webhook_events", "handler_runs", "event_handlers"] {
        owner.run(&format!(
            "CREATE TRIGGER now AFTER INSERT OR UPDATE OR DELETE ON clerk.{table} FOR EACH ROW EXECUTE FUNCTION public.spy();
             CREATE CONSTRAINT TRIGGER later AFTER INSERT OR UPDATE OR DELETE ON clerk.{table}
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.spy()"
        ));
    }
    let mut caller = Cluster::shared().connect_to(name, "postgres");
    let apply = "SELECT clerk.apply_event($1, $2)";
    let mut deliver = |svix_id: &str, version| {
        let event = Json(user_event("user.updated", "user_ada", version));
        // It may be refused to put a trigger off; to run it as the caller may not happen.
        let _ = caller.query(apply, &[&event, &svix_id]);
    };
    deliver("msg_1", 1);
    owner.run(
        "DROP TRIGGER later ON clerk.users; DROP TRIGGER later ON clerk.webhook_events;
         DROP TRIGGER later ON clerk.handler_runs; DROP TRIGGER later ON clerk.event_handlers",
    );
    deliver("msg_2", 2);
    wait_until("the handler was called", || {
        owner.value::<i64>("SELECT count(*) FROM clerk.handler_runs WHERE svix_id = 'msg_2'") == 0
    });
    let roles: String = owner.value("SELECT string_agg(DISTINCT role, ' ') FROM public.fired");
    assert_eq!(roles, owner_name);
    let fired: i64 = owner.value("SELECT count(*) FROM public.fired WHERE name = 'now'");
    assert!(fired >= 4, "{fired}");
}
