-- Sessions, and what surrounds signing in. All of it belongs to an account and to no tenant: keyed by account, forced
-- behind policies that show the signed-in account its own rows and the gate all of them. Secrets are stored as SHA-256
-- of what the client holds, except those of second factors, with which the server has to compute.

create table identity.sessions (
    account_id uuid not null,
    id uuid not null,
    organization_id uuid,
    kind text not null,
    secret_hash bytea not null,
    user_agent text,
    address inet,
    created_at timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint sessions_pkey primary key (account_id, id),
    constraint sessions_account_fkey foreign key (account_id) references identity.accounts (id) on delete cascade,
    constraint sessions_kind check (kind in ('token', 'cookie')),
    constraint sessions_secret_hash_length check (length(secret_hash) = 32),
    constraint sessions_user_agent_length check (length(user_agent) <= 300)
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table identity.sessions is
    'Where an account is signed in. Access tokens name their session and have its secret; without its row they grant '
    'nothing (see app.enter).';
comment on column identity.sessions.account_id is 'The person.';
comment on column identity.sessions.id is 'UUIDv7, the claim `sid` of the tokens of the session.';
comment on column identity.sessions.organization_id is
    'The organization that the session is for; null: none. Switching moves the session to another organization. '
    'No foreign key: the membership is checked on every entry.';
comment on column identity.sessions.kind is
    'token: refreshed by rotating refresh tokens. cookie: a browser session, not refreshed.';
comment on column identity.sessions.secret_hash is
    'SHA-256 of the secret of the session, the claim `key` of its tokens. Only functions of the gate read it.';
comment on column identity.sessions.user_agent is 'User-Agent of the client that signed in, at most 300 characters.';
comment on column identity.sessions.address is 'Network address that the person signed in from.';
comment on column identity.sessions.created_at is 'When the person signed in.';
comment on column identity.sessions.last_used_at is 'When the session was last refreshed or switched.';
comment on column identity.sessions.expires_at is 'When the session ends at the latest, refreshed or not.';

create index sessions_expires_idx on identity.sessions (expires_at);

alter table identity.sessions enable row level security;
alter table identity.sessions force row level security;
create policy own_all on identity.sessions as permissive for all to appointd_api
    using (account_id = (select app.account()))
    with check (account_id = (select app.account()));
create policy gate_all on identity.sessions as permissive for all to appointd_gate using (true) with check (true);

grant
    select (account_id, id, organization_id, kind, user_agent, address, created_at, last_used_at, expires_at), delete
on identity.sessions to appointd_api;
grant select, insert, update, delete on identity.sessions to appointd_gate;


create table identity.refresh_tokens (
    account_id uuid not null,
    session_id uuid not null,
    hash bytea not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    salt bytea,
    successor bytea,
    constraint refresh_tokens_pkey primary key (account_id, session_id, hash),
    constraint refresh_tokens_session_fkey foreign key (account_id, session_id)
        references identity.sessions (account_id, id) on delete cascade,
    constraint refresh_tokens_hash_length check (length(hash) = 32),
    constraint refresh_tokens_successor check (
        (salt is null) = (successor is null)
        and length(salt) = 32
        and length(successor) = 32
        and (salt is null or used_at is not null)
    )
);

comment on table identity.refresh_tokens is
    'All refresh tokens of a session. Each is valid for one use. A second use within ten seconds returns the same '
    'successor; a later one shows that the token was copied, and ends the session (RFC 9700 section 4.14.2).';
comment on column identity.refresh_tokens.account_id is 'The person.';
comment on column identity.refresh_tokens.session_id is 'The session it belongs to.';
comment on column identity.refresh_tokens.hash is 'SHA-256 of the token.';
comment on column identity.refresh_tokens.created_at is 'When it was issued.';
comment on column identity.refresh_tokens.expires_at is 'Until when it can be used.';
comment on column identity.refresh_tokens.used_at is
    'When it was used, or retired because the session was switched; null: not yet.';
comment on column identity.refresh_tokens.salt is
    'Salt from which the successor was derived: SHA-256 of the token and the salt. Useless without the token; removed '
    'once the successor is no longer returned.';
comment on column identity.refresh_tokens.successor is
    'SHA-256 of the successor; null until it exists, and after it was removed with the salt.';

create index refresh_tokens_expires_idx on identity.refresh_tokens (expires_at);

alter table identity.refresh_tokens enable row level security;
alter table identity.refresh_tokens force row level security;
create policy gate_all on identity.refresh_tokens as permissive for all to appointd_gate using (true) with check (true);

grant select, insert, update, delete on identity.refresh_tokens to appointd_gate;


create table identity.one_time_tokens (
    account_id uuid not null,
    hash bytea not null,
    purpose text not null,
    email text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint one_time_tokens_pkey primary key (account_id, hash),
    constraint one_time_tokens_account_fkey foreign key (account_id)
        references identity.accounts (id) on delete cascade,
    constraint one_time_tokens_purpose check (purpose in ('reset_password', 'verify_email')),
    constraint one_time_tokens_hash_length check (length(hash) = 32)
);

comment on table identity.one_time_tokens is
    'Tokens sent by e-mail, each valid for one use: to set a new password, or to verify the address.';
comment on column identity.one_time_tokens.account_id is 'The person.';
comment on column identity.one_time_tokens.hash is 'SHA-256 of the token. Using the token deletes the row.';
comment on column identity.one_time_tokens.purpose is 'reset_password or verify_email.';
comment on column identity.one_time_tokens.email is 'The address it was sent to.';
comment on column identity.one_time_tokens.created_at is 'When it was sent.';
comment on column identity.one_time_tokens.expires_at is 'Until when it can be used.';

create index one_time_tokens_expires_idx on identity.one_time_tokens (expires_at);

alter table identity.one_time_tokens enable row level security;
alter table identity.one_time_tokens force row level security;
create policy own_all on identity.one_time_tokens as permissive for all to appointd_api
    using (account_id = (select app.account()))
    with check (account_id = (select app.account()));
create policy gate_all on identity.one_time_tokens as permissive for all to appointd_gate
    using (true) with check (true);

-- A token to set a new password is made at the front door alone: a request that could add one could use it.
create policy verify_email_insert on identity.one_time_tokens as restrictive for insert to appointd_api
    with check (
        account_id = (select app.account()) and purpose = 'verify_email'
    );

grant select (account_id, purpose, created_at), insert (account_id, hash, purpose, email, expires_at), delete
on identity.one_time_tokens to appointd_api;
grant select, insert, update, delete on identity.one_time_tokens to appointd_gate;


create table identity.second_factors (
    account_id uuid not null default app.account(),
    secret bytea not null,
    created_at timestamptz not null default now(),
    confirmed_at timestamptz,
    last_step bigint not null default 0,
    constraint second_factors_pkey primary key (account_id),
    constraint second_factors_account_fkey foreign key (account_id) references identity.accounts (id) on delete cascade,
    constraint second_factors_secret_length check (length(secret) between 16 and 64)
);

comment on table identity.second_factors is
    'Time-based one-time passwords (RFC 6238): SHA-1, 6 digits, 30 seconds, as every authenticator app has them.';
comment on column identity.second_factors.account_id is 'The person.';
comment on column identity.second_factors.secret is
    'The shared secret. It must be readable to compute codes: protect the database and its backups.';
comment on column identity.second_factors.created_at is 'When it was set up.';
comment on column identity.second_factors.confirmed_at is
    'When a first code proved that the app has the secret. From then on signing in requires a code.';
comment on column identity.second_factors.last_step is
    'The 30-second step of the last accepted code, so that no code is accepted twice.';

alter table identity.second_factors enable row level security;
alter table identity.second_factors force row level security;
create policy own_all on identity.second_factors as permissive for all to appointd_api
    using (account_id = (select app.account()))
    with check (account_id = (select app.account()));
create policy gate_all on identity.second_factors as permissive for all to appointd_gate using (true) with check (true);
-- A second factor on an unverified address would lock out the person who owns the address.
create policy verified_insert on identity.second_factors as restrictive for insert to appointd_api
    with check (
        account_id = (select app.account())
        and exists (select from identity.accounts as a where a.id = account_id and a.email_verified_at is not null)
    );

grant select, insert (secret), update (secret, confirmed_at, last_step), delete
on identity.second_factors to appointd_api;
grant select, insert, update, delete on identity.second_factors to appointd_gate;


create table identity.recovery_codes (
    account_id uuid not null default app.account(),
    hash bytea not null,
    constraint recovery_codes_pkey primary key (account_id, hash),
    constraint recovery_codes_factor_fkey foreign key (account_id)
        references identity.second_factors (account_id) on delete cascade,
    constraint recovery_codes_hash_length check (length(hash) = 32)
);

comment on table identity.recovery_codes is
    'Codes for people who have lost their second factor, each valid for one use. Using a code deletes the row.';
comment on column identity.recovery_codes.account_id is 'The person.';
comment on column identity.recovery_codes.hash is 'SHA-256 of the code, which is 80 random bits.';

alter table identity.recovery_codes enable row level security;
alter table identity.recovery_codes force row level security;
create policy own_all on identity.recovery_codes as permissive for all to appointd_api
    using (account_id = (select app.account()))
    with check (account_id = (select app.account()));
create policy gate_all on identity.recovery_codes as permissive for all to appointd_gate using (true) with check (true);

grant select, insert (hash), delete on identity.recovery_codes to appointd_api;
grant select, insert, update, delete on identity.recovery_codes to appointd_gate;


create table identity.sign_in_failures (
    bucket text not null,
    subject bytea not null,
    failures integer not null,
    last_attempt_at timestamptz not null default now(),
    blocked_until timestamptz not null default '-infinity',
    constraint sign_in_failures_pkey primary key (bucket, subject),
    constraint sign_in_failures_bucket check (bucket in ('account_and_address', 'address', 'account', 'second_factor')),
    constraint sign_in_failures_subject_length check (length(subject) = 32)
);

comment on table identity.sign_in_failures is
    'Failed attempts to sign in, counted in the database so that several servers count together. Rules: '
    'identity.count_attempt.';
comment on column identity.sign_in_failures.bucket is
    'What is counted: an account from one address, an address, an account from anywhere, or the codes of an '
    'account''s second factor.';
comment on column identity.sign_in_failures.subject is
    'SHA-256 of the e-mail address, of the network address, of both, of an account that must give its password again, '
    'or of an account id (second_factor).';
comment on column identity.sign_in_failures.failures is 'Number of failed attempts.';
comment on column identity.sign_in_failures.last_attempt_at is
    'Time of the last attempt. Counting restarts 15 minutes later; for second factors one day later.';
comment on column identity.sign_in_failures.blocked_until is 'Attempts are refused until this time.';

create index sign_in_failures_time_idx on identity.sign_in_failures (last_attempt_at);

alter table identity.sign_in_failures enable row level security;
alter table identity.sign_in_failures force row level security;
create policy gate_all on identity.sign_in_failures as permissive for all to appointd_gate
    using (true) with check (true);

grant select, insert, update, delete on identity.sign_in_failures to appointd_gate;
