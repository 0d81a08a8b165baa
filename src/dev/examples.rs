//! The API description, with examples that can be sent to the demo data.

use std::{error::Error, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::bookable::{bookable, objects, written};
use crate::{
    db::{Context, Db, FrontDoor, Who},
    demo::{self, DEMOS},
    server::{Demo, Examples},
};

/// The accounts of the demo data, and examples of its first organization.
pub(super) fn demo() -> Demo {
    let sign_ins = DEMOS.iter().flat_map(|demo| {
        demo.sign_ins.iter().map(|person| {
            json!({
                "email": person.email,
                "password": person.password,
                "role": person.role,
                "organization": demo.organization,
                "slug": demo.slug,
            })
        })
    });
    let entered = Arc::new(Mutex::new(None));
    Demo {
        sign_ins: Value::from_iter(sign_ins).to_string(),
        organizations: DEMOS
            .iter()
            .map(|demo| (demo.organization.to_owned(), demo.slug.to_owned()))
            .collect(),
        examples: Arc::new(move |db, door| {
            let entered = entered.clone();
            Box::pin(async move { find(&db, &door, &mut *entered.lock().await).await })
        }),
    }
}

/// Examples that can be sent now; `None` if the demo data is not as it was.
async fn find(db: &Db, door: &FrontDoor, entered: &mut Option<Context>) -> Option<Examples> {
    if let Some(context) = *entered
        && let Ok(found) = of(db, context).await
    {
        return found;
    }
    // The session lasts a day.
    *entered = demo::enter_first(door).await.ok()?;
    of(db, (*entered)?).await.ok()?
}

async fn of(db: &Db, context: Context) -> Result<Option<Examples>, Box<dyn Error + Send + Sync>> {
    let objects = objects(db, context).await?;
    let Some(service) = objects.service_id else {
        return Ok(None);
    };
    let Some(slot) = bookable(db, context, service).await? else {
        return Ok(None);
    };
    let mut values = vec![
        ("organization_id", context.tenant.to_string()),
        ("service_id", slot.service.to_string()),
        ("provider_id", slot.provider.to_string()),
        ("starts_at", written(slot.starts_at)),
        ("ends_at", written(slot.ends_at)),
    ];
    if let Who::Session { account, .. } = context.who {
        values.push(("account_id", account.to_string()));
    }
    let ids = [
        ("contact_id", objects.contact_id),
        ("resource_id", objects.resource_id),
        ("appointment_id", objects.appointment_id),
    ];
    values.extend(ids.into_iter().filter_map(|(name, id)| Some((name, id?.to_string()))));
    Ok(Some(Examples { day: slot.starts_at.date_naive(), values }))
}
