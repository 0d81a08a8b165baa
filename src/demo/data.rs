//! What the demo is made of.

/// An organization, and all that is in it before the first booking.
pub struct Demo {
    pub organization: &'static str,
    pub slug: &'static str,
    pub time_zone: &'static str,
    pub plan_type: &'static str,
    /// Whether its members belong to no other organization.
    pub exclusive_members: bool,
    /// ISO 4217 code.
    pub currency: &'static str,
    /// The first is the owner.
    pub sign_ins: &'static [SignIn],
    pub resources: &'static [Resource],
    pub providers: &'static [Provider],
    /// Anyone can book the first within the rules.
    pub services: &'static [Service],
    /// From, to.
    pub hours: &'static [(&'static str, &'static str)],
    pub weekdays: &'static [&'static str],
    /// What the organization is closed for on one day.
    pub closure: Option<&'static str>,
}

/// How a person gets in.
pub struct SignIn {
    pub email: &'static str,
    pub password: &'static str,
    pub name: &'static str,
    /// Of a customer: the contact with the same e-mail address is theirs.
    pub role: &'static str,
}

/// A room or a piece of equipment.
pub struct Resource {
    pub kind: &'static str,
    pub name: &'static str,
}

/// A person who can be booked.
pub struct Provider {
    pub name: &'static str,
    /// The sign-in of the person, who accepts to be this provider.
    pub email: Option<&'static str>,
    /// Whether they are away for three days.
    pub is_away: bool,
}

/// Something that can be booked.
pub struct Service {
    pub name: &'static str,
    pub minutes: i32,
    pub step: i32,
    /// In the minor unit of the currency.
    pub price: i32,
    pub seats: i32,
    pub requires_approval: bool,
    /// Who performs it; empty: all providers.
    pub providers: &'static [&'static str],
    /// The rooms or pieces of equipment of which it takes one.
    pub needs: &'static [&'static str],
}

const fn provider(name: &'static str) -> Provider {
    Provider { name, email: None, is_away: false }
}

const fn service(name: &'static str, minutes: i32, step: i32, price: i32) -> Service {
    Service { name, minutes, step, price, seats: 1, requires_approval: false, providers: &[], needs: &[] }
}

const fn sign_in(
    email: &'static str,
    password: &'static str,
    name: &'static str,
    role: &'static str,
) -> SignIn {
    SignIn { email, password, name, role }
}

/// A person who works for two organizations, and whom no two of them book at once.
const SHARED: SignIn = sign_in("ines.silva@example.com", "silva123", "Ines Silva", "staff");

const STYLISTS: &[&str] = &["Sofia Marino", "Jonas Berg", "Aiko Tanaka", "Leila Haddad"];

/// The organizations of the demo.
pub const DEMOS: [Demo; 3] = [
    Demo {
        organization: "Acme Salon",
        slug: "acme",
        time_zone: "America/New_York",
        plan_type: "enterprise",
        exclusive_members: false,
        currency: "USD",
        sign_ins: &[
            sign_in("admin@acme.com", "admin123", "Alice Acme", "owner"),
            sign_in("member@acme.com", "member123", "Mel Member", "staff"),
            SHARED,
            sign_in("ada.lovelace@example.com", "ada12345", "Ada Lovelace", "customer"),
        ],
        resources: &[
            Resource { kind: "equipment", name: "Colour bar 1" },
            Resource { kind: "equipment", name: "Colour bar 2" },
            Resource { kind: "room", name: "Studio" },
        ],
        providers: &[
            provider("Sofia Marino"),
            Provider { is_away: true, ..provider("Jonas Berg") },
            provider("Aiko Tanaka"),
            provider("Leila Haddad"),
            Provider { email: Some(SHARED.email), ..provider("Ines Silva") },
        ],
        services: &[
            Service { providers: STYLISTS, ..service("Haircut", 45, 15, 4500) },
            Service {
                providers: STYLISTS,
                needs: &["Colour bar 1", "Colour bar 2"],
                ..service("Colouring", 120, 30, 14_000)
            },
            Service { providers: STYLISTS, ..service("Beard trim", 20, 10, 2000) },
            Service {
                requires_approval: true,
                providers: &["Ines Silva"],
                ..service("Skin consultation", 30, 30, 6000)
            },
            Service {
                seats: 6,
                providers: &["Leila Haddad"],
                needs: &["Studio"],
                ..service("Styling class", 90, 30, 3500)
            },
        ],
        hours: &[("09:00", "13:00"), ("14:00", "19:00")],
        weekdays: &["tuesday", "wednesday", "thursday", "friday", "saturday"],
        closure: Some("Staff outing"),
    },
    Demo {
        organization: "TechStart Clinic",
        slug: "techstart",
        time_zone: "Europe/Berlin",
        plan_type: "pro",
        exclusive_members: false,
        currency: "EUR",
        sign_ins: &[
            sign_in("admin@techstart.com", "admin123", "Theo Start", "owner"),
            sign_in("dev@techstart.com", "dev123", "Devi Start", "staff"),
            SHARED,
        ],
        resources: &[
            Resource { kind: "room", name: "Examination room 1" },
            Resource { kind: "room", name: "Examination room 2" },
        ],
        providers: &[
            provider("Dr. Ngozi Okafor"),
            provider("Dr. Pavel Novák"),
            Provider { email: Some(SHARED.email), ..provider("Dr. Ines Silva") },
        ],
        services: &[
            service("Consultation", 20, 10, 5000),
            Service {
                needs: &["Examination room 1", "Examination room 2"],
                ..service("Check-up", 40, 20, 12_000)
            },
            service("Vaccination", 10, 10, 2500),
        ],
        hours: &[("08:00", "12:00"), ("13:00", "16:30")],
        weekdays: &["monday", "tuesday", "wednesday", "thursday", "friday"],
        closure: Some("Inventory"),
    },
    Demo {
        organization: "Harbour Homes",
        slug: "harbour",
        time_zone: "Asia/Singapore",
        plan_type: "basic",
        exclusive_members: true,
        currency: "SGD",
        sign_ins: &[sign_in("admin@harbour.com", "admin123", "Hana Harbour", "owner")],
        resources: &[],
        providers: &[provider("Wei Ling Tan"), provider("Arjun Rao"), provider("Mei Chen")],
        services: &[
            service("Viewing", 30, 30, 0),
            Service { requires_approval: true, ..service("Valuation", 60, 30, 25_000) },
        ],
        hours: &[("10:00", "20:00")],
        weekdays: &["monday", "wednesday", "thursday", "friday", "saturday", "sunday"],
        closure: None,
    },
];

/// The contacts that each organization has.
pub const CONTACTS: [(&str, &str); 12] = [
    ("Ada", "Lovelace"),
    ("Grace", "Hopper"),
    ("Alan", "Turing"),
    ("Katherine", "Johnson"),
    ("Edsger", "Dijkstra"),
    ("Barbara", "Liskov"),
    ("Donald", "Knuth"),
    ("Radia", "Perlman"),
    ("Tony", "Hoare"),
    ("Frances", "Allen"),
    ("Niklaus", "Wirth"),
    ("Margaret", "Hamilton"),
];
