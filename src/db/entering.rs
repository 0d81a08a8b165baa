//! The first statement of a transaction, which sets its context: a call of one of the functions `app.enter…` or of
//! `app.begin_request`.

use tokio_postgres::{Statement, types::Type};

use super::{
    connection::Connection,
    entry::{Context, Entry, Person, Who},
    error::Error,
    request::{REQUEST, Request},
    sql::{Params, Sql},
};

const ENTER: Sql = crate::sql!("app/enter.sql");
const ENTER_BY_KEY: Sql = crate::sql!("app/enter_by_key.sql");
const ENTER_GUEST: Sql = crate::sql!("app/enter_guest.sql");
const ENTER_SCHEDULER: Sql = crate::sql!("app/enter_scheduler.sql");
const ENTER_WORKER: Sql = crate::sql!("app/enter_worker.sql");
const ENTER_CUSTOMER: Sql = crate::sql!("app/enter_customer.sql");
const BEGIN_REQUEST: Sql = crate::sql!("app/begin_request.sql");
const ENTER_ACCOUNT: Sql = crate::sql!("app/enter_account.sql");

impl Entry {
    /// The statement that enters, and the types of its parameters.
    pub(super) fn statement(&self) -> (Sql, &'static [Type]) {
        match self {
            Self::Tenant(Context { who: Who::Session { .. }, .. }) => (
                ENTER,
                &[
                    Type::UUID,
                    Type::UUID,
                    Type::UUID,
                    Type::BYTEA,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                ],
            ),
            Self::Tenant(Context { who: Who::Key { .. }, .. }) => (
                ENTER_BY_KEY,
                &[
                    Type::UUID,
                    Type::UUID,
                    Type::BYTEA,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                ],
            ),
            Self::Tenant(Context { who: Who::Guest { .. }, .. }) => {
                (ENTER_GUEST, &[Type::UUID, Type::UUID, Type::BYTEA, Type::TEXT, Type::TEXT, Type::TEXT])
            }
            Self::Tenant(Context { who: Who::Scheduler { .. }, .. }) => {
                (ENTER_SCHEDULER, &[Type::UUID, Type::BYTEA, Type::TEXT])
            }
            Self::Tenant(Context { who: Who::Worker, .. }) => (ENTER_WORKER, &[Type::UUID]),
            Self::Tenant(Context { who: Who::Customer { .. }, .. }) => (
                ENTER_CUSTOMER,
                &[
                    Type::UUID,
                    Type::UUID,
                    Type::UUID,
                    Type::BYTEA,
                    Type::UUID,
                    Type::TEXT,
                    Type::TEXT,
                    Type::TEXT,
                ],
            ),
            Self::Person(_) => {
                (ENTER_ACCOUNT, &[Type::UUID, Type::UUID, Type::BYTEA, Type::TEXT, Type::TEXT])
            }
            Self::Stranger => (BEGIN_REQUEST, &[Type::TEXT, Type::TEXT]),
        }
    }

    /// Adds the missing role or scope to the error of a refused entry.
    pub(super) fn explain(&self, error: Error) -> Error {
        match (error, self) {
            (Error::RoleTooLow { held, .. }, Self::Tenant(context)) => {
                Error::RoleTooLow { needs: context.needs, held }
            }
            (Error::ScopeMissing { .. }, _) => Error::ScopeMissing {
                scope: REQUEST.try_with(|request| request.scope.clone()).ok().flatten().unwrap_or_default(),
            },
            (error, _) => error,
        }
    }

    pub(super) async fn enter(
        &self,
        client: &Connection,
        statement: &Statement,
    ) -> Result<(), tokio_postgres::Error> {
        // Empty outside a request: in tests, and when `dev` loads its data.
        let Request { id, host, scope, .. } = REQUEST.try_with(Request::clone).unwrap_or_default();
        let entered = match self {
            Self::Tenant(Context {
                tenant,
                who: Who::Session { account, session, secret },
                needs,
                feature,
            }) => {
                let secret = &secret.0[..];
                client
                    .query(statement, &[tenant, account, session, &secret, needs, feature, &host, &id])
                    .await
            }
            Self::Tenant(Context { tenant, who: Who::Key { id: key, secret }, needs, feature }) => {
                let secret = &secret[..];
                client.query(statement, &[tenant, key, &secret, needs, &scope, feature, &host, &id]).await
            }
            Self::Tenant(Context { tenant, who: Who::Guest { appointment, proof }, feature, .. }) => {
                let proof = &proof.0[..];
                client.query(statement, &[tenant, appointment, &proof, feature, &host, &id]).await
            }
            Self::Tenant(Context { tenant, who: Who::Scheduler { proof }, .. }) => {
                let proof = &proof.0[..];
                client.query(statement, &[tenant, &proof, &id]).await
            }
            Self::Tenant(Context { tenant, who: Who::Worker, .. }) => {
                client.query(statement, &[tenant]).await
            }
            Self::Tenant(Context {
                tenant,
                who: Who::Customer { account, session, secret, subject },
                feature,
                ..
            }) => {
                let secret = &secret.0[..];
                let params: Params<'_> = &[tenant, account, session, &secret, subject, feature, &host, &id];
                client.query(statement, params).await
            }
            Self::Person(Person { account, session, secret }) => {
                let secret = &secret.0[..];
                client.query(statement, &[account, session, &secret, &host, &id]).await
            }
            Self::Stranger => client.query(statement, &[&id, &host]).await,
        };
        entered.map(drop)
    }
}
