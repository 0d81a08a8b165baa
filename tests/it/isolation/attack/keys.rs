//! Keys: foreign ones that lead to the other organization, and those that keep time from being taken twice.

use uuid::Uuid;

use super::{Outcome, UnderWay, outcomes, record};

impl UnderWay<'_> {
    /// Rows of ours that lead to rows of theirs: as if those were not there.
    pub async fn foreign_keys(&self) -> Vec<String> {
        let (superuser, api) = (&self.superuser, &self.api);
        let relations = &self.relations;
        let (ours, theirs) = (self.rows(self.ours).await, self.rows(self.theirs).await);
        let keys = superuser
            .query(
                "select k.conrelid::regclass::text, k.confrelid::regclass::text, here.attname::text, there.attname::text
                 from pg_constraint k
                 cross join unnest(k.conkey, k.confkey) as pair (here, there)
                 join pg_attribute here on here.attrelid = k.conrelid and here.attnum = pair.here
                 join pg_attribute there on there.attrelid = k.confrelid and there.attnum = pair.there
                 where k.contype = 'f' and k.conparentid = 0 and here.atttypid = 'uuid'::regtype and here.attname <> 'tenant_id'
                 order by 1, 2, 3",
                &[],
            )
            .await
            .expect("foreign keys");
        let mut statements = Vec::new();
        for key in keys {
            let (child, parent, here, there): (String, String, String, String) =
                (key.get(0), key.get(1), key.get(2), key.get(3));
            let Some(relation) = relations.iter().find(|relation| relation.name == child) else { continue };
            let (Some(row), Some(target)) = (ours.get(&child), theirs.get(&parent)) else { continue };
            // People are in no organization.
            if relation.tenant.is_none() || parent == "identity.accounts" {
                continue;
            }
            for value in [target[&there].as_str().unwrap_or_default().to_owned(), Uuid::new_v4().to_string()]
            {
                let mut changed = vec![(here.as_str(), value.clone())];
                if here != "id" && row.get("id").is_some() {
                    changed.push(("id", "00000000-0000-4000-8000-000000000000".to_owned()));
                }
                statements.push(record(&child, row, &relation.inserts, &changed));
                statements.push(format!("update {child} set {here} = '{value}'"));
            }
        }
        let outcomes = outcomes(api, Some(&self.ours.enter("owner")), &statements).await;
        let mut holes = Vec::new();
        let mut refused = 0;
        for (pair, outcome) in statements.chunks(4).zip(outcomes.chunks(4)) {
            for way in [0, 1] {
                let (foreign, missing) = (&outcome[way], &outcome[way + 2]);
                refused += usize::from(missing.is("23503"));
                let accepted = matches!(foreign, Outcome::Rows(1..)) && missing.is("23503");
                if accepted || foreign != missing {
                    holes.push(format!("{}: {foreign}; missing: {missing}", pair[way]));
                }
            }
        }
        if refused < 10 {
            holes.push(format!("only {refused} foreign keys were met"));
        }
        holes
    }

    /// Two claims of one time, two contacts in one seat, one person in two places: refused by the database itself.
    pub async fn double_booking(&self) -> Vec<String> {
        let superuser = &self.superuser;
        let claim = |changed: &str| {
            format!(
                "insert into scheduling.claims (tenant_id, id, resource_id, appointment_id, starts_at, ends_at, seat, capacity, group_key, service_id)
                 select tenant_id, gen_random_uuid(), resource_id, appointment_id, {changed}
                 from scheduling.claims where tenant_id = '{}' and appointment_id is not null limit 1",
                self.ours.tenant
            )
        };
        let statements = vec![
            claim("starts_at, ends_at, seat, capacity, group_key, service_id"),
            claim("starts_at + interval '1 minute', ends_at + interval '1 minute', seat, capacity, group_key, service_id"),
            format!(
                "with seats as (select id, resource_id, appointment_id, gen_random_uuid() as of_session from scheduling.claims
                                where tenant_id = '{0}' and appointment_id is not null and capacity = 1 limit 1)
                 insert into scheduling.claims (tenant_id, id, resource_id, appointment_id, starts_at, ends_at, seat, capacity, group_key)
                 select '{0}', gen_random_uuid(), resource_id, appointment_id, '2040-01-01', '2040-01-02', 1, 2, of_session
                 from seats, generate_series(1, 2)",
                self.ours.tenant
            ),
            format!(
                "update scheduling.shared_claims set account_id = (
                     select account_id from scheduling.shared_claims where tenant_id = '{}' limit 1
                 ), starts_at = (select starts_at from scheduling.shared_claims where tenant_id = '{}' limit 1),
                    ends_at = (select ends_at from scheduling.shared_claims where tenant_id = '{}' limit 1)
                 where tenant_id = '{}'",
                self.ours.tenant, self.ours.tenant, self.ours.tenant, self.theirs.tenant
            ),
        ];
        let expected = [["23P01", "23P01"], ["23P01", "23P01"], ["23505", "23P01"], ["23P01", "23P01"]];
        statements
            .iter()
            .zip(outcomes(superuser, None, &statements).await)
            .zip(expected)
            .filter(|((_, outcome), expected)| !expected.iter().any(|sqlstate| outcome.is(sqlstate)))
            .map(|((statement, outcome), _)| format!("{statement}: {outcome}"))
            .collect()
    }
}
