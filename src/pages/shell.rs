//! What all pages have: the frame around them, the organization they are of, and the headers they are sent with.

use askama::Template;
use chrono_tz::Tz;
use poem::{
    Response,
    http::{StatusCode, header},
};
use url::Url;

use super::{
    assets,
    formats::Formats,
    language::{LANGUAGES, Language},
    visit::Visit,
};
use crate::{
    db::{Context, Db},
    http::{client::Host, problem::Problem, values::TimeZone},
    scheduling::customers::guest_access,
    tenancy::organizations::{self, PublicOrganization},
};

/// The name of the product, for pages that belong to no organization.
const PRODUCT: &str = "appointd";
const HTML: &str = "text/html; charset=utf-8";

/// The organization whose page is shown.
pub struct Place {
    pub organization: PublicOrganization,
    pub formats: Formats,
}

impl Place {
    /// The organization that the host leads to or the path names. A former slug leads to the page below the present
    /// one.
    pub async fn of(db: &Db, visit: &Visit) -> Result<Self, Problem> {
        let place = Self::named(db, visit, visit.host(), visit.slug.as_deref()).await?;
        match &visit.slug {
            Some(slug) if *slug != place.organization.slug => Err(visit.moved_to(&place.organization.slug)),
            _ => Ok(place),
        }
    }

    /// The organization that a guest's link names. The door has checked that it agrees with the host.
    pub async fn of_guest(db: &Db, visit: &Visit, guest: Context) -> Result<Self, Problem> {
        let slug = organizations::slug(db, guest).await?;
        Self::named(db, visit, visit.host(), Some(&slug)).await
    }

    /// The organization with a slug that the database has found. Its host must lead to it.
    pub async fn with_slug(db: &Db, visit: &Visit, slug: &str) -> Result<Self, Problem> {
        Self::named(db, visit, visit.host(), Some(slug)).await
    }

    async fn named(db: &Db, visit: &Visit, host: Option<&str>, slug: Option<&str>) -> Result<Self, Problem> {
        let found = organizations::face(db, host, slug).await?;
        let organization = found.ok_or_else(|| organizations::unknown(host, slug))?;
        let formats = Formats {
            language: visit.language(Some(&organization.language)),
            zone: TimeZone::parse(&organization.time_zone).map_or(Tz::UTC, |zone| zone.0),
            date: organization.date_format,
            time: organization.time_format,
        };
        Ok(Self { organization, formats })
    }

    /// The context of a guest who only looks.
    pub fn looking(&self) -> Context {
        guest_access::looking(self.organization.id)
    }
}

/// A language to choose.
pub struct Choice {
    pub code: &'static str,
    pub name: &'static str,
    pub href: String,
    pub current: bool,
}

/// The frame of a page.
pub struct Shell {
    pub language: &'static Language,
    pub title: String,
    pub name: String,
    pub initial: String,
    pub logo: Option<String>,
    pub icon: String,
    pub sheets: Vec<String>,
    pub script: String,
    /// Whether search engines leave it out.
    pub private: bool,
    pub choices: Vec<Choice>,
    /// The time zone of the times on the page; empty without any.
    pub zone: &'static str,
    /// `h24` or `h12`.
    pub hours: &'static str,
    /// Origins of images and style sheets that are not ours.
    image_origins: Vec<String>,
    style_origin: Option<String>,
}

impl Shell {
    /// A page that belongs to no organization.
    pub fn plain(visit: &Visit, heading: &str) -> Self {
        let language = visit.language(None);
        Self::new(visit, language, heading, PRODUCT)
    }

    /// A page of an organization.
    pub fn of(visit: &Visit, place: &Place, heading: &str) -> Self {
        let PublicOrganization { name, logo_url, favicon_url, primary_color, .. } = &place.organization;
        let mut shell = Self::new(visit, place.formats.language, heading, name);
        shell.zone = TimeZone(place.formats.zone).name();
        shell.hours = place.formats.time.name();
        shell.sheets.extend(primary_color.as_deref().map(assets::colors));
        shell.image_origins =
            [logo_url, favicon_url].into_iter().flatten().filter_map(|url| origin(url)).collect();
        shell.logo = logo_url.clone();
        if let Some(icon) = favicon_url {
            shell.icon.clone_from(icon);
        }
        shell
    }

    fn new(visit: &Visit, language: &'static Language, heading: &str, name: &str) -> Self {
        let choice = |choice: &'static Language| Choice {
            code: choice.code,
            name: choice.name,
            href: visit.in_language(choice.code),
            current: choice.code == language.code,
        };
        Self {
            language,
            title: format!("{heading} · {name}"),
            initial: name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default(),
            name: name.to_owned(),
            logo: None,
            // None: otherwise browsers ask for /favicon.ico.
            icon: "data:,".to_owned(),
            sheets: vec![assets::style()],
            script: assets::script(),
            private: false,
            choices: LANGUAGES.iter().map(choice).collect(),
            zone: "",
            hours: "h24",
            image_origins: Vec::new(),
            style_origin: None,
        }
    }

    /// With the style sheet of the organization. Only pages that show no secret and nothing of a person have it: a
    /// style sheet can read what is in attributes.
    pub fn with_own_style(mut self, place: &Place) -> Self {
        if let Some(url) = &place.organization.style_sheet_url {
            self.style_origin = origin(url);
            self.sheets.push(url.clone());
        }
        self
    }

    /// Left out by search engines.
    pub fn private(self) -> Self {
        Self { private: true, ..self }
    }

    /// A text in the language of the page.
    pub fn t(&self, key: &str) -> String {
        self.language.text(key)
    }

    fn policy(&self) -> String {
        let mut images = vec!["'self'".to_owned(), "data:".to_owned()];
        images.extend(self.image_origins.iter().cloned());
        let styles: Vec<_> = std::iter::once("'self'").chain(self.style_origin.as_deref()).collect();
        format!(
            "default-src 'none'; script-src 'self'; style-src {}; img-src {}; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
            styles.join(" "),
            images.join(" "),
        )
    }
}

/// The origin of a URL, for a policy.
fn origin(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// A page as a response.
pub fn show(status: StatusCode, shell: &Shell, page: &impl Template) -> Result<Response, Problem> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        Problem::internal()
    })?;
    // What a refused form comes back as has no address of its own: without a copy, going back would ask to send it
    // again. Other pages are asked for again.
    let kept = if status.is_client_error() { "private, no-cache" } else { "no-store" };
    Ok(Response::builder()
        .status(status)
        .content_type(HTML)
        .header(header::CACHE_CONTROL, kept)
        .header(header::CONTENT_SECURITY_POLICY, shell.policy())
        .header(header::X_FRAME_OPTIONS, "DENY")
        // Not `no-referrer`, with which browsers hide the origin of our own forms.
        .header(header::REFERRER_POLICY, "same-origin")
        .header("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        .header("Cross-Origin-Opener-Policy", "same-origin")
        .header(header::VARY, "Accept, Accept-Language")
        .body(html))
}

/// 303: what a form leads to.
pub fn see_other(address: &str) -> Response {
    Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, address).finish()
}

/// Whether the host is one of organizations, where our own pages have no place.
pub fn is_ours(visit: &Visit) -> bool {
    visit.client.host == Host::Ours
}
