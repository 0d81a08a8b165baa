//! A change that another transaction makes fail is made all the same: its transaction is repeated.

use crate::harness::{
    Tenant, operations, private_system, system,
    walking::{OPEN, actor_of, filled, id_of, send, takes_away},
    within,
};

/// Lets the first statement that writes fail as if another transaction had got in the way. A sequence counts, because
/// it is not rolled back.
const FAIL_ONCE: &str = "
    create sequence public.writes;
    create function public.fail_once() returns trigger language plpgsql security definer as $$
    begin
        if nextval('public.writes') = 1 then
            raise exception 'another transaction got in the way' using errcode = 'serialization_failure';
        end if;
        return null;
    end
    $$;
    do $$
    declare
        name regclass;
    begin
        for name in
            select c.oid
            from pg_class as c
            where
                c.relkind in ('r', 'p') and not c.relispartition
                and c.relnamespace >= 16384 and c.relnamespace::regnamespace::text not in ('app', 'public')
        loop
            execute format(
                'create trigger fail_once after insert or update or delete on %s execute function public.fail_once()',
                name
            );
        end loop;
    end
    $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_repeated_after_another_transaction_got_in_the_way() {
    within(private_system(&[]).await, async {
        let tenant = Tenant::new().await;
        let furnished = tenant.furnished().await;
        let superuser = system().superuser().await;
        superuser.batch_execute(FAIL_ONCE).await.expect("triggers");
        let mut changes = operations();
        changes.retain(|operation| operation.method != "GET" && !OPEN.contains(&operation.id()));
        changes.retain(|operation| operation.method == "DELETE" || !takes_away(operation));
        changes
            .sort_by_key(|operation| (operation.method == "DELETE", operation.id() == "delete_organization"));
        let (mut reached, mut refused) = (Vec::new(), Vec::new());
        for operation in changes {
            superuser.execute("select setval('public.writes', 1, false)", &[]).await.expect("a sequence");
            let path = filled(&operation.path, id_of(&furnished));
            let answer = send(actor_of(&tenant, &operation), &operation, &path).await;
            let written = superuser.query_one("select is_called from public.writes", &[]).await;
            if answer.body["code"] == "try_again" {
                refused.push(operation.id().to_owned());
            } else if answer.status < 300 && written.expect("a sequence").get(0) {
                reached.push(operation.id().to_owned());
            }
        }
        assert_eq!(refused, Vec::<String>::new());
        for id in ["update_service", "update_provider", "update_member", "create_provider", "update_time_off"]
        {
            assert!(reached.iter().any(|reached| reached == id), "{id}: {reached:?}");
        }
        assert!(reached.len() > 30, "{reached:?}");
    })
    .await;
}
