//! Rows of the other organization: read, changed, added, met by their keys.

use uuid::Uuid;

use super::{Outcome, Relation, UnderWay, outcomes, record};

impl UnderWay<'_> {
    /// Reads everything in every context of ours, and in none, an empty one, and one of an unknown organization.
    pub async fn reads(&self) -> Vec<String> {
        let api = &self.api;
        let relations = &self.relations;
        let mut holes = Vec::new();
        let foreign: Vec<_> = relations
            .iter()
            .filter_map(|relation| {
                let Relation { name, tenant, person, .. } = relation;
                let (ours, own) = (self.ours.tenant, self.ours.accounts());
                match (tenant, person) {
                    (Some(column), _) => {
                        Some(format!("select {column} from {name} where {column} <> '{ours}'"))
                    }
                    (None, Some(column)) => {
                        Some(format!("select {column} from {name} where {column} not in ({own})"))
                    }
                    _ => None,
                }
            })
            .collect();
        let mut contexts = self.ours.contexts();
        contexts.push(("a forged context", self.theirs.forge("owner")));
        for (who, enter) in contexts {
            for (statement, outcome) in foreign.iter().zip(outcomes(api, Some(&enter), &foreign).await) {
                if matches!(outcome, Outcome::Rows(1..)) || outcome.is("22P02") {
                    holes.push(format!("{who}: {statement}: {outcome}"));
                }
            }
        }
        let nothing: Vec<_> = relations
            .iter()
            .filter(|relation| relation.name != "app.migrations")
            .flat_map(|relation| {
                relation.columns.iter().map(|column| format!("select {column} from {}", relation.name))
            })
            .collect();
        // On this connection there was a context; on a fresh one there never was.
        let fresh = self.target.connect("appointd_api").await;
        for (who, client, enter) in [
            ("no context", &fresh, None),
            ("a context that has ended", api, None),
            ("an empty context", api, Some("set local app.context = ''; set local app.tenant_id = ''")),
        ] {
            for (statement, outcome) in nothing.iter().zip(outcomes(client, enter, &nothing).await) {
                if !matches!(outcome, Outcome::Rows(0)) && !outcome.is("42501") {
                    holes.push(format!("{who}: {statement}: {outcome}"));
                }
            }
        }
        holes
    }

    /// Changes and deletes rows of the other side, by name and blindly.
    pub async fn writes(&self) -> Vec<String> {
        let (superuser, api) = (&self.superuser, &self.api);
        let relations = &self.relations;
        let mut statements = Vec::new();
        for Relation { name, tenant, person, updates, .. } in relations {
            let filter = match (tenant, person) {
                (Some(column), _) => format!("{column} = '{}'", self.theirs.tenant),
                (None, Some(column)) => format!("{column} in ({})", self.theirs.accounts()),
                _ => continue,
            };
            let column = updates.first();
            statements.extend(
                column.map(|column| (format!("update {name} set {column} = {column} where {filter}"), 0)),
            );
            statements.push((format!("delete from {name} where {filter}"), 0));
            let own = match (tenant, person) {
                (Some(column), _) => format!("{column} = '{}'", self.ours.tenant),
                (_, Some(column)) => format!("{column} in ({})", self.ours.accounts()),
                _ => continue,
            };
            let own: i64 = superuser
                .query_one(&format!("select count(*) from {name} where {own}"), &[])
                .await
                .expect("a count")
                .get(0);
            // Without a WHERE no column is read, and the policies for reading are not asked.
            statements.extend(column.map(|column| (format!("update {name} set {column} = default"), own)));
            statements.push((format!("delete from {name}"), own));
        }
        let texts: Vec<_> = statements.iter().map(|(statement, _)| statement.clone()).collect();
        let mut holes = Vec::new();
        let mut contexts: Vec<_> =
            self.ours.contexts().into_iter().map(|(who, enter)| (who, Some(enter))).collect();
        contexts.push(("no context", None));
        for (who, enter) in contexts {
            for ((statement, most), outcome) in
                statements.iter().zip(outcomes(api, enter.as_deref(), &texts).await)
            {
                let most = if enter.is_none() { 0 } else { *most };
                // A constraint or trigger that refuses a change of a row of theirs has met it.
                let met = most == 0
                    && matches!(&outcome, Outcome::Refused { sqlstate, .. } if sqlstate.starts_with("23"));
                if matches!(outcome, Outcome::Rows(rows) if rows > most) || met {
                    holes.push(format!("{who}: {statement}: {outcome}"));
                }
            }
        }
        holes
    }

    /// Adds rows to the other side, and gives rows of ours away.
    pub async fn inserts(&self) -> Vec<String> {
        let api = &self.api;
        let relations = &self.relations;
        let theirs = self.rows(self.theirs).await;
        let mut statements = Vec::new();
        for relation in relations {
            let (Some(column), Some(row)) = (&relation.tenant, theirs.get(&relation.name)) else { continue };
            let mut columns = relation.inserts.clone();
            if !columns.contains(column) {
                columns.push(column.clone());
            }
            // A new row of theirs: what else would be in its way is not.
            let fresh = |name: &'static str| (name, Uuid::new_v4().to_string());
            let changed: Vec<_> = ["id"]
                .into_iter()
                .filter(|name| name != column && row.get(*name).is_some())
                .map(fresh)
                .collect();
            statements.push(record(&relation.name, row, &columns, &changed));
            statements.push(format!("update {} set {column} = '{}'", relation.name, self.theirs.tenant));
        }
        let mut holes = Vec::new();
        for (who, enter) in self.ours.contexts() {
            for (statement, outcome) in statements.iter().zip(outcomes(api, Some(&enter), &statements).await)
            {
                if !outcome.is("42501") {
                    holes.push(format!("{who}: {statement}: {outcome}"));
                }
            }
        }
        holes
    }

    /// Adds rows of ours with the keys of theirs: they must be as free as any other.
    pub async fn upserts(&self) -> Vec<String> {
        // Shared on purpose: a host leads to one organization, and a person is in one place.
        const SHARED: [&str; 2] = ["tenancy.verified_domains", "scheduling.shared_claims"];
        let api = &self.api;
        let relations = &self.relations;
        let theirs = self.rows(self.theirs).await;
        let statements: Vec<_> = relations
            .iter()
            .filter(|relation| {
                relation.tenant.is_some()
                    && !SHARED.contains(&relation.name.as_str())
                    && !relation.inserts.is_empty()
            })
            .filter_map(|relation| Some((relation, theirs.get(&relation.name)?)))
            .flat_map(|(relation, row)| {
                let insert = record(&relation.name, row, &relation.inserts, &[]);
                [format!("{insert} on conflict do nothing"), insert]
            })
            .collect();
        let mut holes = Vec::new();
        for (statement, outcome) in
            statements.iter().zip(outcomes(api, Some(&self.ours.enter("owner")), &statements).await)
        {
            let met = outcome == Outcome::Rows(0) || outcome.is("23505") || outcome.is("23P01");
            if met || matches!(&outcome, Outcome::Refused { detail, .. } if detail.contains("=(")) {
                holes.push(format!("{statement}: {outcome}"));
            }
        }
        holes
    }
}
