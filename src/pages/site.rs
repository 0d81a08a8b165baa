//! What pages work with: the operations that they share with the API.

use std::sync::Arc;

use crate::{
    api::App,
    db::Db,
    http::token::Tokens,
    identity::{
        recovery::RecoveryApi, session_issuer::SessionIssuer, sessions::SessionsApi, sign_in::SignInApi,
    },
    scheduling::customers::{
        guest_access::Guests, guest_appointments::GuestAppointmentsApi, guest_holds::GuestHoldsApi,
        guest_verification::GuestVerificationApi, guest_waitlist::GuestWaitlistApi,
    },
    tenancy::invitation_acceptance::InvitationAcceptanceApi,
};
/// What pages work with. Cheap to share.
pub struct Site {
    pub db: Db,
    pub tokens: Arc<Tokens>,
    pub guests: Guests,
    pub appointments: GuestAppointmentsApi,
    pub holds: GuestHoldsApi,
    pub verification: GuestVerificationApi,
    pub waitlist: GuestWaitlistApi,
    pub recovery: RecoveryApi,
    pub sign_in: SignInApi,
    pub sessions: SessionsApi,
    pub invitations: InvitationAcceptanceApi,
    /// Name and slug of the organizations that the front page links to.
    pub demo: Vec<(String, String)>,
}

impl Site {
    pub fn new(app: &App, demo: Vec<(String, String)>) -> Self {
        let App { db, door, tokens, passwords, mailer, captcha, .. } = app.clone();
        let issuer = SessionIssuer { door: door.clone(), tokens: tokens.clone() };
        let guests = Guests {
            db: db.clone(),
            door: door.clone(),
            tokens: tokens.clone(),
            mailer: mailer.clone(),
            captcha,
        };
        Self {
            appointments: GuestAppointmentsApi(guests.clone()),
            holds: GuestHoldsApi(guests.clone()),
            verification: GuestVerificationApi(guests.clone()),
            waitlist: GuestWaitlistApi(guests.clone()),
            guests,
            recovery: RecoveryApi {
                db: db.clone(),
                door: door.clone(),
                passwords: passwords.clone(),
                mailer,
            },
            sign_in: SignInApi {
                db: db.clone(),
                door: door.clone(),
                passwords: passwords.clone(),
                issuer: issuer.clone(),
            },
            sessions: SessionsApi { db: db.clone(), issuer: issuer.clone() },
            invitations: InvitationAcceptanceApi { db: db.clone(), door, passwords, issuer },
            db,
            tokens,
            demo,
        }
    }
}
