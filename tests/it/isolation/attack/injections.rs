//! What an attacker does who brings SQL into a request of their own: it runs on the connection of the request, in the
//! transaction that has entered their organization. Of the other organization they know every id, address and hash, and
//! no secret.

use crate::isolation::attack::{UnderWay, outcomes};

/// How an attempt may end. What it is refused with says what holds it: rights, the functions that enter (AP…), that the
/// transaction has entered, or that a function that may not change anything was to.
const REFUSALS: [&str; 5] = ["42501", "AP401", "AP406", "55000", "0A000"];

impl UnderWay<'_> {
    /// Attempts in the transaction of a request, and in one where no one has entered. (That takes COMMIT, which cannot
    /// stand inside another statement.)
    pub async fn injections(&self) -> Vec<String> {
        let mut attempts = self.calls_of_others().await;
        attempts.extend(self.other_contexts());
        attempts.extend(SECRETS.map(|(column, table)| format!("select {column} from {table}")));
        assert!(attempts.len() > 60, "{}", attempts.len());
        // What other attacks have set for a session does not count here: each transaction of the server resets it.
        let fresh = self.target.connect("appointd_api").await;
        let mut holes = Vec::new();
        for (when, enter) in [
            ("in a request", self.ours.enter("owner")),
            ("where no one has entered", "select app.begin_request(null, null)".to_owned()),
        ] {
            for (attempt, outcome) in attempts.iter().zip(outcomes(&fresh, Some(&enter), &attempts).await) {
                if !REFUSALS.iter().any(|refusal| outcome.is(refusal)) {
                    holes.push(format!("{when}: {attempt}: {outcome}"));
                }
            }
        }
        holes
    }

    /// A call of each function that another role of the server's may execute, except those that requests call, too.
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
                   and f.oid::regproc::text not in (
                       'app.account', 'app.api_key', 'app.context', 'app.role', 'app.subject', 'app.tenant',
                       'app.begin_request', 'app.enter_account', 'app.refuse_leftovers', 'messaging.spend',
                       'tenancy.count_message', 'tenancy.near_limits', 'tenancy.voice'
                   )
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

    /// Ways into the other organization, by what is known of it.
    fn other_contexts(&self) -> Vec<String> {
        let (there, id) = (self.theirs.tenant, self.theirs.appointment);
        let (_, owner) = &self.theirs.people[4];
        let (account, session) = (owner.account, owner.session);
        let mut attempts = Vec::new();
        for (setting, value) in [
            ("app.tenant_id", there.to_string()),
            ("app.account_id", account.to_string()),
            ("app.key_id", self.theirs.api_key.to_string()),
            ("app.appointment_id", id.to_string()),
            ("app.role", "owner".to_owned()),
            ("app.role", String::new()),
            ("app.context", self.theirs.context("owner")),
            ("backtrace_functions", self.theirs.context("owner")),
            ("backtrace_functions", String::new()),
        ] {
            attempts.push(format!("select set_config('{setting}', '{value}', true)"));
            attempts.push(format!("select set_config('{setting}', '{value}', false)"));
            attempts.push(format!(
                "select query_to_xml('select set_config(''{setting}'', ''{value}'', true)', true, true, '')"
            ));
            attempts
                .push(format!("select query_to_xml('set local {setting} = ''{value}''', true, true, '')"));
        }
        attempts.push("select query_to_xml('reset all', true, true, '')".to_owned());
        attempts.push("select query_to_xml('prepare evil as select 1', true, true, '')".to_owned());
        attempts.push("update pg_settings set setting = 'off' where name = 'row_security'".to_owned());
        for secret in [
            "null",
            "''",
            "'\\x00000000000000000000000000000000'",
            &format!("sha256(uuid_send('{session}'))"),
            &format!("substr(uuid_send('{session}'), 1, 15)"),
        ] {
            attempts.push(format!(
                "select app.enter('{there}', '{account}', '{session}', {secret}, 'viewer', null, null, null)"
            ));
            attempts
                .push(format!("select app.enter_account('{account}', '{session}', {secret}, null, null)"));
            attempts.push(format!(
                "select app.enter_customer('{there}', '{account}', '{session}', {secret}, '{id}', null, null, null)"
            ));
            attempts.push(format!(
                "select app.enter_by_key('{there}', '{}', {secret}, 'viewer', 'crm:read', null, null, null)",
                self.theirs.api_key
            ));
            attempts.push(format!("select app.enter_guest('{there}', '{id}', {secret}, null, null, null)"));
            attempts.push(format!("select app.enter_scheduler('{there}', {secret}, null)"));
        }
        // A token that they would know, to set a new password with.
        let (_, own) = &self.ours.people[4];
        for account in [account, own.account] {
            attempts.push(format!(
                "insert into identity.one_time_tokens (account_id, hash, purpose, email, expires_at)
                 values ('{account}', sha256('mine'), 'reset_password', 'x@x.example', 'infinity')"
            ));
        }
        attempts.push(format!("select app.proof('guest', '{there}', '{id}')"));
        attempts.push("select * from app.proof_key".to_owned());
        attempts.push(format!("select app.set_context('{}')", self.theirs.context("owner")));
        attempts.push(format!("select app.set_tenant('{there}')"));
        attempts.push(format!("select app.set_account('{}')", self.theirs.people[4].1.account));
        attempts
    }
}

/// What is compared with what a caller presents.
const SECRETS: [(&str, &str); 8] = [
    ("secret_hash", "identity.sessions"),
    ("password_hash", "identity.accounts"),
    ("hash", "identity.refresh_tokens"),
    ("hash", "identity.one_time_tokens"),
    ("secret_hash", "tenancy.api_keys"),
    ("token_hash", "tenancy.invitations"),
    ("token_hash", "scheduling.calendar_feeds"),
    ("inner_pad", "app.proof_key"),
];
