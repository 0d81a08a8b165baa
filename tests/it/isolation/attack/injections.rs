//! What an attacker does who brings SQL into a request of their own: it runs on the connection of the request, in the
//! transaction that has entered their organization. Of the other organization they know every id, address and hash.

use crate::isolation::attack::{UnderWay, outcomes};

impl UnderWay<'_> {
    /// Functions that believe what they are told, also once the context was forged away.
    pub async fn injections(&self) -> Vec<String> {
        let mut holes = Vec::new();
        let calls = self.calls_of_others().await;
        for (when, forged) in [
            ("in a request", ""),
            ("as if nobody had entered", "; set local app.role = ''; set local app.tenant_id = ''"),
        ] {
            let enter = format!("{}{forged}", self.ours.enter("owner"));
            for (call, outcome) in calls.iter().zip(outcomes(&self.api, Some(&enter), &calls).await) {
                if !outcome.is("42501") {
                    holes.push(format!("{when}: {call}: {outcome}"));
                }
            }
        }
        holes
    }

    /// A call of each function that another role of the server's may execute, except those that begin a transaction.
    async fn calls_of_others(&self) -> Vec<String> {
        let calls = self
            .superuser
            .query(
                "select format('select %s(%s)', f.oid::regproc,
                        (select string_agg(format('null::%s', a.type::regtype), ', ' order by a.position)
                         from unnest(f.proargtypes) with ordinality as a (type, position)))
                 from pg_proc f
                 where f.oid >= 16384
                   and not exists (select from pg_depend d where d.objid = f.oid and d.deptype = 'e')
                   and f.oid::regproc::text not in ('app.begin_request', 'app.enter_account')
                   and (has_function_privilege('appointd_door', f.oid, 'execute')
                        or has_function_privilege('appointd_worker', f.oid, 'execute'))
                 order by 1",
                &[],
            )
            .await
            .expect("functions");
        assert!(calls.len() > 25, "{}", calls.len());
        calls.into_iter().map(|row| row.get(0)).collect()
    }
}
