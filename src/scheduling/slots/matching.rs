//! Chooses the rooms and pieces of equipment that a booking claims.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::availability::Availability;
use crate::scheduling::hours::working_hours::Interval;

impl Availability {
    /// Assigns a different free resource to each requirement: a matching by augmenting paths (Kuhn 1955), in at most
    /// requirements × resources × requirements steps.
    pub(super) fn assign_resources(
        &self,
        requirements: &[Vec<Uuid>],
        during: Interval,
        key: Option<Uuid>,
        earlier: &impl Fn(Uuid) -> bool,
    ) -> Option<Vec<Uuid>> {
        let free: Vec<Vec<Uuid>> = requirements
            .iter()
            .map(|pool| {
                // A resource that the session already uses comes first.
                let mut free: Vec<(bool, Uuid)> = pool
                    .iter()
                    .filter(|resource| !earlier(**resource))
                    .filter_map(|resource| {
                        let seats = self.resources.get(resource)?.seats(during, key).ok()?;
                        Some((seats.is_empty(), *resource))
                    })
                    .collect();
                free.sort_unstable();
                free.into_iter().map(|(_, resource)| resource).collect()
            })
            .collect();
        let mut taken: BTreeMap<Uuid, usize> = BTreeMap::new();
        for requirement in 0..free.len() {
            if !augment(requirement, &free, &mut taken, &mut BTreeSet::new()) {
                return None;
            }
        }
        let mut chosen: Vec<(usize, Uuid)> =
            taken.into_iter().map(|(resource, requirement)| (requirement, resource)).collect();
        chosen.sort_unstable();
        Some(chosen.into_iter().map(|(_, resource)| resource).collect())
    }
}

/// Finds a resource for a requirement; other requirements may have to switch to another one.
fn augment(
    requirement: usize,
    free: &[Vec<Uuid>],
    taken: &mut BTreeMap<Uuid, usize>,
    seen: &mut BTreeSet<Uuid>,
) -> bool {
    for resource in &free[requirement] {
        if !seen.insert(*resource) {
            continue;
        }
        let holder = taken.get(resource).copied();
        if holder.is_none_or(|holder| augment(holder, free, taken, seen)) {
            taken.insert(*resource, requirement);
            return true;
        }
    }
    false
}
