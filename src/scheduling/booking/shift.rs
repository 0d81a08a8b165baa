//! Plans the moves of many appointments: one after the other, each around all others where they are by then. Pure: what
//! decides is loaded before.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    appointment::Appointment,
    moves::{Move, PlannedMove},
};
use crate::{
    http::{
        computing::Deadline,
        problem::{FieldError, Problem},
    },
    scheduling::slots::{
        availability::{Availability, Claim, Enforcement},
        problems::slot_problem,
    },
};

/// An appointment to move, with the claims that it has.
pub struct Candidate {
    pub wanted: Move,
    pub claims: Vec<Claim>,
    /// The index of the availability of its services.
    pub kind: usize,
}

/// Moves to plan.
pub struct Shift {
    /// One for each combination of services. The candidates' own claims are left out of account.
    pub kinds: Vec<Availability>,
    pub candidates: Vec<Candidate>,
    pub policy: Enforcement,
    pub seat_seed: usize,
}

/// An appointment that cannot be moved, and why.
pub struct Refused {
    pub appointment: Appointment,
    pub why: FieldError,
}

/// The moves that can be written together, and the appointments that stay where they are.
#[derive(Default)]
pub struct Outcome {
    pub moves: Vec<PlannedMove>,
    pub refused: Vec<Refused>,
}

impl Shift {
    /// Plans the moves. Those at the front in the direction of the move come first, so that they make room for those
    /// behind them. The seats of a group session are moved together, or none of them.
    pub fn plan(mut self, deadline: &Deadline) -> Result<Outcome, Problem> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.sort_by_key(|one| {
            let appointment = &one.wanted.appointment;
            (appointment.starts_at, appointment.provider_id, appointment.service_id, appointment.id)
        });
        let forward =
            candidates.first().is_some_and(|one| one.wanted.start > one.wanted.appointment.starts_at);
        if forward {
            candidates.reverse();
        }
        for kind in &mut self.kinds {
            candidates.iter().for_each(|one| kind.occupy(&one.claims));
        }
        let mut outcome = Outcome::default();
        let mut together: Vec<Candidate> = Vec::new();
        for candidate in candidates {
            if together.last().is_some_and(|last| !candidate.is_beside(last)) {
                deadline.check()?;
                self.move_together(std::mem::take(&mut together), &mut outcome);
            }
            together.push(candidate);
        }
        self.move_together(together, &mut outcome);
        Ok(outcome)
    }

    fn move_together(&mut self, candidates: Vec<Candidate>, outcome: &mut Outcome) {
        let before: Vec<Claim> = candidates.iter().flat_map(|one| one.claims.clone()).collect();
        let appointments: Vec<Appointment> =
            candidates.iter().map(|one| one.wanted.appointment.clone()).collect();
        self.vacate(&before);
        let mut moves: Vec<PlannedMove> = Vec::new();
        for Candidate { wanted, kind, .. } in candidates {
            let planned = match wanted.plan(&self.kinds[kind], self.policy, self.seat_seed) {
                Ok(Ok(planned)) => Ok(planned),
                Ok(Err(refusal)) => Err(slot_problem("starts_at", refusal)),
                Err(problem) => Err(problem),
            };
            match planned {
                Ok(planned) => {
                    self.occupy(&planned.claims);
                    moves.push(planned);
                }
                Err(problem) => {
                    moves.iter().for_each(|planned| self.vacate(&planned.claims));
                    self.occupy(&before);
                    let why = problem.errors.into_iter().next();
                    let why =
                        why.unwrap_or_else(|| FieldError::new("starts_at", problem.code, problem.detail));
                    let refused = |appointment| Refused { appointment, why: why.clone() };
                    outcome.refused.extend(appointments.into_iter().map(refused));
                    return;
                }
            }
        }
        outcome.moves.extend(moves);
    }

    fn occupy(&mut self, claims: &[Claim]) {
        self.kinds.iter_mut().for_each(|kind| kind.occupy(claims));
    }

    fn vacate(&mut self, claims: &[Claim]) {
        self.kinds.iter_mut().for_each(|kind| kind.vacate(claims));
    }
}

impl Candidate {
    /// Whether both are seats of one group session.
    fn is_beside(&self, other: &Self) -> bool {
        self.session().is_some_and(|session| other.session() == Some(session))
    }

    fn session(&self) -> Option<(Uuid, Uuid, DateTime<Utc>)> {
        let appointment = &self.wanted.appointment;
        appointment.seat.map(|_| (appointment.service_id, appointment.provider_id, appointment.starts_at))
    }
}
