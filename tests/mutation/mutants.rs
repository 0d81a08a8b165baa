pub struct Mutant {
    pub name: &'static str,
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    /// The tests that are run: those whose business it is.
    pub tests: &'static [&'static str],
}

const fn mutant(
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    tests: &'static [&'static str],
) -> Mutant {
    Mutant { name, file, from, to, tests }
}

const CREDENTIALS: &[&str] = &["isolation::credentials"];
const ROLES: &[&str] =
    &["isolation::credentials::operation_with_a_lower_role", "http::coverage::every_operation_has_a_rule"];
const STATEMENTS: &[&str] = &["isolation::statements"];
const TOKENS: &[&str] = &["http::token", "isolation::credentials::credentials"];

pub const MUTANTS: &[Mutant] = &[
    // Who asks.
    mutant(
        "the role of an operation is not asked for",
        "src/http/caller.rs",
        "needs: R::NAME, feature",
        "needs: \"viewer\", feature",
        ROLES,
    ),
    mutant(
        "the feature of a plan is not asked for",
        "src/http/caller.rs",
        "feature: F::NAME };",
        "feature: None };",
        &["tenancy::subscriptions"],
    ),
    mutant(
        "one operation asks for a lower role",
        "src/scheduling/catalog/services.rs",
        "caller: Member<Manager, Appointments>,",
        "caller: Member<Viewer, Appointments>,",
        ROLES,
    ),
    mutant(
        "an API key is taken for a person",
        "src/http/caller.rs",
        "            Credentials::Program(_) => Err(Problem::person_required())?,",
        "            Credentials::Program(_) => Err(Problem::not_found())?,",
        &["tenancy::api_keys"],
    ),
    mutant(
        "a cookie is enough to change something",
        "src/http/caller.rs",
        "return if reads || matches {",
        "return if true || reads || matches {",
        &["identity::sessions"],
    ),
    mutant(
        "of two headers of one name the first is believed",
        "src/http/headers.rs",
        "(Some(value), None) => value.to_str()",
        "(Some(value), _) => value.to_str()",
        &["http::headers", "isolation::transport"],
    ),
    // The door.
    mutant(
        "entering is skipped",
        "sql/queries/app/enter.sql",
        "select app.enter($1, $2, $3, $4, $5, $6, $7, $8)",
        "select app.begin_request($8, $7), $1::uuid, $2::uuid, $3::uuid, $4::bytea, $5::text, $6::text",
        CREDENTIALS,
    ),
    mutant(
        "a key enters unchecked",
        "sql/queries/app/enter_by_key.sql",
        "select app.enter_by_key($1, $2, $3, $4, $5, $6, $7, $8)",
        "select app.begin_request($8, $7), $1::uuid, $2::uuid, $3::bytea, $4::text, $5::text, $6::text",
        &["tenancy::api_keys", "isolation::credentials"],
    ),
    mutant(
        "an account enters unchecked",
        "sql/queries/app/enter_account.sql",
        "select app.enter_account($1, $2, $3, $4, $5)",
        "select app.begin_request($5, $4), $1::uuid, $2::uuid, $3::bytea",
        &["isolation::credentials::credentials", "identity::sessions"],
    ),
    mutant(
        "the host of a request is not compared",
        "src/db/entering.rs",
        "let Request { id, host, scope, .. } = REQUEST.try_with(Request::clone).unwrap_or_default();",
        "let Request { id, scope, .. } = REQUEST.try_with(Request::clone).unwrap_or_default(); let host = None::<String>;",
        &["tenancy::domains", "tenancy::hosts"],
    ),
    mutant(
        "the scopes of an API key are not compared",
        "src/db/entering.rs",
        "client.query(statement, &[tenant, key, &secret, needs, &scope, feature, &host, &id]).await",
        "client.query(statement, &[tenant, key, &secret, needs, &scope.map(|_| \"crm:read\"), feature, &host, &id]).await",
        &["tenancy::api_keys"],
    ),
    mutant(
        "a transaction that was dropped stays open",
        "src/db/guard.rs",
        "if !self.open || client.is_closed() {",
        "if self.open || client.is_closed() {",
        &["db::tx::"],
    ),
    mutant(
        "a statement that was dropped goes on",
        "src/db/guard.rs",
        "true => client.cancel().await,",
        "true => Ok(()),",
        &["db::tx::"],
    ),
    mutant(
        "a failed transaction is committed",
        "src/db/tx.rs",
        "    pub async fn commit(mut self) -> Result<(), Error> {\n        if self.failed {",
        "    pub async fn commit(mut self) -> Result<(), Error> {\n        if false {",
        &["db::tx::"],
    ),
    mutant(
        "one organization may take every connection",
        "src/db/pool.rs",
        "Shares { each: connections.div_ceil(2),",
        "Shares { each: 1000,",
        &["http::limits::flooding_organization"],
    ),
    // Statements without their tenant.
    mutant(
        "a contact is read whosever it is",
        "sql/queries/crm/contacts_get.sql",
        "where tenant_id = $1 and id = $2",
        "where $1::uuid is not null and id = $2",
        STATEMENTS,
    ),
    mutant(
        "contacts of all organizations are listed",
        "sql/queries/crm/contacts_list.sql",
        "tenant_id = $1\n    and id > $2",
        "$1::uuid is not null\n    and id > $2",
        STATEMENTS,
    ),
    mutant(
        "appointments of all organizations are listed",
        "sql/queries/scheduling/appointments_list.sql",
        "a.tenant_id = $1\n            and not $8",
        "$1::uuid is not null\n            and not $8",
        STATEMENTS,
    ),
    mutant(
        "a contact is deleted whosever it is",
        "sql/queries/crm/contacts_delete.sql",
        "tenant_id = $1",
        "$1::uuid is not null",
        STATEMENTS,
    ),
    mutant(
        "an idempotency key is read in every account",
        "sql/queries/operations/idempotency_keys_get.sql",
        "where tenant_id = $1 and actor_id = $2",
        "where $1::uuid is not null and $2::uuid is not null",
        STATEMENTS,
    ),
    // Tokens.
    mutant(
        "the issuer of a token is not compared",
        "src/http/token.rs",
        "validation.set_issuer(&[ISSUER]);",
        "",
        TOKENS,
    ),
    mutant(
        "the audience of a token is not compared",
        "src/http/token.rs",
        "validation.set_audience(&[AUDIENCE]);",
        "validation.validate_aud = false;",
        TOKENS,
    ),
    mutant(
        "a token is good before its time",
        "src/http/token.rs",
        "validation.validate_nbf = true;",
        "validation.validate_nbf = false;",
        TOKENS,
    ),
    mutant(
        "a token is good for an hour more",
        "src/http/token.rs",
        "validation.leeway = LEEWAY;",
        "validation.leeway = 3600;",
        TOKENS,
    ),
    mutant(
        "a token of one kind is taken for another",
        "src/http/token.rs",
        "Ok(token) if token.claims.r#type == kind => {",
        "Ok(token) if token.claims.r#type == kind || true => {",
        TOKENS,
    ),
    mutant(
        "a token that is remembered never expires",
        "src/http/token.rs",
        "return if claims.exp + LEEWAY.cast_signed() < Utc::now().timestamp() {",
        "return if claims.exp < 0 {",
        TOKENS,
    ),
    mutant(
        "a token's signature is not checked",
        "src/http/token.rs",
        "match decode::<TokenClaims>(token, &key.decoding, &self.validation) {",
        "match { let _ = decode::<TokenClaims>(token, &key.decoding, &self.validation); jsonwebtoken::dangerous::insecure_decode::<Claims>(token) } {",
        TOKENS,
    ),
    // What comes in.
    mutant(
        "unknown fields are accepted",
        "src/crm/contacts.rs",
        "#[serde(deny_unknown_fields)]\n#[oai(example)]\npub struct NewContact {",
        "#[oai(example)]\npub struct NewContact {",
        &["isolation::credentials::unknown_field_in_a_body"],
    ),
    mutant(
        "control characters are taken",
        "src/http/values/text.rs",
        "(c.is_control() && !layout(c)) || is_invisible(c)",
        "is_invisible(c)",
        &["isolation::transport"],
    ),
    mutant(
        "a cursor is any instant",
        "src/http/page.rs",
        "(0..1 << 55).contains(&micros).then_some(Self {",
        "true.then_some(Self {",
        &["http::parsers::cursors"],
    ),
];
