//! Contexts: entering where one may not, and plans that were made in another context.

use uuid::Uuid;

use super::{Outcome, Relation, Side, UnderWay, outcomes};

impl UnderWay<'_> {
    /// Statements prepared in one context and run in another: the other organization, a lower role, no context.
    pub async fn plans(&self) -> Vec<String> {
        let api = &self.api;
        let relations = &self.relations;
        let mut holes = Vec::new();
        // A plan for one call only is made as that of any other query.
        api.batch_execute("set plan_cache_mode = force_generic_plan").await.expect("a setting");
        for Relation { name, tenant, .. } in relations {
            let Some(column) = tenant else { continue };
            // Planned for the one who asks first.
            if !self.begin(&self.theirs.enter("owner"), &mut holes).await {
                return holes;
            }
            let prepared = api.prepare(&format!("select {column} from {name}")).await;
            if let Ok(statement) = &prepared {
                let _ = api.query(statement, &[]).await;
            }
            api.batch_execute("rollback").await.expect("a rollback");
            let Ok(statement) = prepared else { continue };
            for (who, enter) in self.ours.contexts() {
                if !["owner", "viewer", "customer", "guest"].contains(&who)
                    || !self.begin(&enter, &mut holes).await
                {
                    continue;
                }
                if let Ok(rows) = api.query(&statement, &[]).await
                    && rows.iter().any(|row| row.get::<_, Uuid>(0) != self.ours.tenant)
                {
                    holes.push(format!("{who}: {name}"));
                }
                api.batch_execute("rollback").await.expect("a rollback");
            }
            if let Ok(rows) = api.query(&statement, &[]).await
                && !rows.is_empty()
            {
                holes.push(format!("no context: {name}"));
            }
        }
        holes
    }

    /// Enters where one may not; twice; out of a savepoint; and looks what is left behind.
    pub async fn entering(&self) -> Vec<String> {
        let (api, ours, theirs) = (&self.api, self.ours, self.theirs);
        let person = |side: &Side, role: &str| {
            let (_, actor) = side.people.iter().find(|(name, _)| *name == role).expect("a person");
            (actor.account, actor.session)
        };
        let ((owner, session), (staff, staffs), (customer, customers), (foreign, foreigns)) =
            (person(ours, "owner"), person(ours, "staff"), person(ours, "customer"), person(theirs, "owner"));
        let enter = |tenant: Uuid, account: Uuid, session: Uuid, needs: &str| {
            format!(
                "select app.enter('{tenant}', '{account}', '{session}', uuid_send('{session}'), '{needs}', null, null, null)"
            )
        };
        let key = Uuid::new_v4();
        let [guest, scheduler] = &ours.proofs;
        let as_guest = |side: &Side, proof: &str| {
            let Side { tenant, appointment, .. } = side;
            format!("select app.enter_guest('{tenant}', '{appointment}', {proof}, null, null, null)")
        };
        let with_secret = |secret: String| {
            format!(
                "select app.enter('{}', '{owner}', '{session}', {secret}, 'viewer', null, null, null)",
                ours.tenant
            )
        };
        let statements = vec![
            enter(theirs.tenant, owner, session, "viewer"),
            enter(Uuid::new_v4(), owner, session, "viewer"),
            enter(ours.tenant, Uuid::new_v4(), session, "viewer"),
            enter(ours.tenant, owner, Uuid::new_v4(), "viewer"),
            enter(ours.tenant, owner, staffs, "viewer"),
            enter(ours.tenant, foreign, foreigns, "viewer"),
            enter(ours.tenant, owner, session, "god"),
            enter(ours.tenant, staff, staffs, "manager"),
            enter(ours.tenant, owner, session, "customer"),
            enter(ours.tenant, customer, customers, "viewer"),
            with_secret(format!("uuid_send('{staffs}')")),
            with_secret(format!("sha256(uuid_send('{session}'))")),
            with_secret(format!("substr(uuid_send('{session}'), 1, 15)")),
            with_secret("''".to_owned()),
            with_secret("null".to_owned()),
            format!("select app.enter_account('{owner}', '{session}', null, null, null)"),
            format!("select app.enter_account('{owner}', '{session}', uuid_send('{staffs}'), null, null)"),
            format!(
                "select app.enter_customer('{}', '{customer}', '{customers}', null, '{key}', null, null, null)",
                ours.tenant
            ),
            format!(
                "select app.enter_by_key('{}', '{}', null, 'viewer', 'crm:read', null, null, null)",
                ours.tenant, ours.api_key
            ),
            format!(
                "select app.enter('{}', null, '{session}', uuid_send('{session}'), 'viewer', null, null, null)",
                ours.tenant
            ),
            format!(
                "select app.enter(null, '{owner}', '{session}', uuid_send('{session}'), 'viewer', null, null, null)"
            ),
            format!(
                "select app.enter('{}', '{owner}', '{session}', uuid_send('{session}'), 'viewer', null, 'unknown.example', null)",
                ours.tenant
            ),
            format!(
                "select app.enter_by_key('{}', '{}', sha256('x'), 'viewer', 'crm:read', null, null, null)",
                theirs.tenant, theirs.api_key
            ),
            format!(
                "select app.enter_by_key('{}', '{}', sha256('x'), 'viewer', 'crm:read', null, null, null)",
                theirs.tenant, ours.api_key
            ),
            format!("select app.enter_account('{foreign}', '{session}', uuid_send('{session}'), null, null)"),
            theirs.enter_customer(customer, customers, theirs.appointment),
            ours.enter_customer(owner, session, ours.appointment),
            ours.enter_customer(customer, session, ours.appointment),
            ours.enter_customer(foreign, foreigns, ours.appointment),
            format!(
                "select app.enter_customer('{}', '{customer}', '{customers}', uuid_send('{customers}'), null, null, null, null)",
                ours.tenant
            ),
            format!("select app.enter_guest('{}', null, {guest}, null, null, null)", theirs.tenant),
            format!("select app.enter_guest('{}', '{key}', null, null, null, null)", ours.tenant),
            as_guest(theirs, "null"),
            as_guest(theirs, "''"),
            as_guest(theirs, guest),
            as_guest(ours, &theirs.proofs[0]),
            as_guest(ours, scheduler),
            format!("select app.enter_guest('{}', '{key}', {guest}, null, null, null)", ours.tenant),
            // Who only looks for a time needs no proof, but an organization.
            format!("select app.enter_guest('{key}', '{}', null, null, null, null)", Uuid::nil()),
            format!("select app.enter_scheduler('{}', null, null)", theirs.tenant),
            format!("select app.enter_scheduler('{}', {scheduler}, null)", theirs.tenant),
            format!("select app.enter_scheduler('{}', {guest}, null)", ours.tenant),
            "select app.enter_scheduler(null, null, null)".to_owned(),
        ];
        let mut holes: Vec<_> = statements
            .iter()
            .zip(outcomes(api, None, &statements).await)
            .filter(|(_, outcome)| !matches!(outcome, Outcome::Refused { sqlstate, .. } if sqlstate.starts_with("AP")))
            .map(|(statement, outcome)| format!("{statement}: {outcome}"))
            .collect();
        // A transaction that has entered does not enter again.
        let twice =
            vec![theirs.enter("owner"), theirs.enter_guest(), enter(ours.tenant, owner, session, "viewer")];
        let contexts = [
            ("owner", ours.enter("owner")),
            ("guest", ours.enter_guest()),
            ("customer", ours.enter("customer")),
        ];
        for (who, context) in contexts {
            for (statement, outcome) in twice.iter().zip(outcomes(api, Some(&context), &twice).await) {
                if !outcome.is("55000") {
                    holes.push(format!("{who}, again: {statement}: {outcome}"));
                }
            }
        }
        // A failed attempt, and one that was taken back, leave the context as it was.
        let count = "select count(*) filter (where tenant_id <> $1), count(*) from crm.contacts";
        for (what, script) in [
            ("a failed second one", format!("{}; savepoint s", ours.enter("owner"))),
            ("one in a savepoint", format!("savepoint s; {}", theirs.enter("owner"))),
        ] {
            if !self.begin(&script, &mut holes).await {
                continue;
            }
            let _ = api.batch_execute(&theirs.enter("owner")).await;
            api.batch_execute("rollback to savepoint s").await.expect("a savepoint");
            let row = api.query_one(count, &[&ours.tenant]).await.expect("a count");
            let (foreign, all): (i64, i64) = (row.get(0), row.get(1));
            if foreign > 0 || (what == "one in a savepoint" && all > 0) {
                holes.push(format!("after {what}: {foreign} of {all} rows are theirs"));
            }
            api.batch_execute("rollback").await.expect("a rollback");
        }
        for ending in ["commit", "rollback", "select 1/0"] {
            if !self.begin(&ours.enter("owner"), &mut holes).await {
                continue;
            }
            if api.batch_execute(ending).await.is_err() {
                api.batch_execute("rollback").await.expect("a rollback");
            }
            let all: i64 = api.query_one(count, &[&ours.tenant]).await.expect("a count").get(1);
            if all > 0 {
                holes.push(format!("after {ending}: {all} rows"));
            }
        }
        holes
    }
}
