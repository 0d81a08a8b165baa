-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema

-- Who people are: accounts, sessions, second factors. Global, not owned by a tenant.
create schema identity authorization appointd_owner;

grant usage on schema identity to appointd_api;
grant usage on schema identity to appointd_auditor;
grant usage on schema identity to appointd_door;
grant usage on schema identity to appointd_gate;
grant usage on schema identity to appointd_worker;


-- A person who can sign in. Global: membership in an organization is in tenancy.members.
create table identity.accounts (
    -- UUIDv7, made by the server.
    id uuid not null,
    -- Sign-in name, lower case, at most 254 characters (RFC 5321 section 4.5.3.1.3). Unique in the whole system.
    email text not null,
    -- Name of the person, 1 to 200 characters; null: not given.
    full_name text,
    -- Argon2id in PHC string format. Only functions of the gate read it.
    password_hash text not null,
    -- When the account was registered.
    created_at timestamptz not null default now(),
    -- When the person proved that they receive mail at the address; null: not yet.
    email_verified_at timestamptz,
    -- When name, address or password last changed.
    updated_at timestamptz not null default now(),
    -- When the name last changed. Colleagues see this, and not when the password changed.
    named_at timestamptz not null default now(),
    constraint accounts_pkey primary key (id),
    constraint accounts_email_key unique (email),
    constraint accounts_email_lower_case check (email = lower(email) and length(email) >= 3 and length(email) <= 254),
    constraint accounts_full_name_length check (length(full_name) >= 1 and length(full_name) <= 200)
);

alter table identity.accounts enable row level security, force row level security;

create policy colleagues_select on identity.accounts as permissive for select to appointd_api
    using (
        (select app.role() = any ('{viewer,staff,manager,admin,owner}'))
        and (
            exists (
                select from tenancy.members m where m.tenant_id = (select app.tenant()) and m.account_id = accounts.id
            )
        )
    );
create policy gate_insert on identity.accounts as permissive for insert to appointd_gate
    with check (true);
create policy gate_select on identity.accounts as permissive for select to appointd_gate
    using (true);
create policy gate_update on identity.accounts as permissive for update to appointd_gate
    using (true)
    with check (true);
create policy own_account_select on identity.accounts as permissive for select to appointd_api
    using (id = (select app.account()));
create policy own_account_update on identity.accounts as permissive for update to appointd_api
    using (id = (select app.account()))
    with check (id = (select app.account()));
create policy owner_insert on identity.accounts as permissive for insert to appointd_owner
    with check ((select app.tenant()) is not null);
create policy owner_select on identity.accounts as permissive for select to appointd_owner
    using ((select app.tenant()) is not null);

grant select (id, email, full_name, created_at, email_verified_at, named_at) on identity.accounts to appointd_api;
grant update (full_name, updated_at, named_at) on identity.accounts to appointd_api;
grant select, insert, update on identity.accounts to appointd_gate;

create trigger keep_updated_at before update of id, email, full_name, password_hash, created_at, email_verified_at,
named_at on identity.accounts
for each row execute function app.keep_updated_at('{}');


-- Tokens sent by e-mail, each valid for one use: to set a new password, or to verify the address.
create table identity.one_time_tokens (
    -- The person.
    account_id uuid not null,
    -- SHA-256 of the token. Using the token deletes the row.
    hash bytea not null,
    -- reset_password or verify_email.
    purpose text not null,
    -- The address it was sent to.
    email text not null,
    -- When it was sent.
    created_at timestamptz not null default now(),
    -- Until when it can be used.
    expires_at timestamptz not null,
    constraint one_time_tokens_pkey primary key (account_id, hash),
    constraint one_time_tokens_account_fkey foreign key (account_id) references identity.accounts(id) on delete cascade,
    constraint one_time_tokens_hash_length check (length(hash) = 32),
    constraint one_time_tokens_purpose check (purpose = any (array['reset_password', 'verify_email']))
);

create index one_time_tokens_expires_idx on identity.one_time_tokens using btree (expires_at);

alter table identity.one_time_tokens enable row level security, force row level security;

create policy verify_email_insert on identity.one_time_tokens as restrictive for insert to appointd_api
    with check (account_id = (select app.account()) and purpose = 'verify_email');
create policy gate_all on identity.one_time_tokens as permissive for all to appointd_gate
    using (true)
    with check (true);
create policy own_all on identity.one_time_tokens as permissive for all to appointd_api
    using (account_id = (select app.account()))
    with check (account_id = (select app.account()));

grant delete on identity.one_time_tokens to appointd_api;
grant insert (account_id, hash, purpose, email, expires_at) on identity.one_time_tokens to appointd_api;
grant select (account_id, purpose, created_at) on identity.one_time_tokens to appointd_api;
grant select, insert, update, delete on identity.one_time_tokens to appointd_gate;


-- Codes for people who have lost their second factor, each valid for one use. Using a code deletes the row.
create table identity.recovery_codes (
    -- The person.
    account_id uuid not null default app.account(),
    -- SHA-256 of the code, which is 80 random bits.
    hash bytea not null,
    constraint recovery_codes_pkey primary key (account_id, hash),
    constraint recovery_codes_factor_fkey foreign key (account_id) references identity.second_factors(account_id) on
    delete cascade,
    constraint recovery_codes_hash_length check (length(hash) = 32)
);

alter table identity.recovery_codes enable row level security, force row level security;

create policy gate_all on identity.recovery_codes as permissive for all to appointd_gate
    using (true)
    with check (true);
create policy own_all on identity.recovery_codes as permissive for all to appointd_api
    using (account_id = (select app.account()))
    with check (account_id = (select app.account()));

grant select, delete on identity.recovery_codes to appointd_api;
grant insert (hash) on identity.recovery_codes to appointd_api;
grant select, insert, update, delete on identity.recovery_codes to appointd_gate;


-- All refresh tokens of a session. Each is valid for one use. A second use within ten seconds returns the same
-- successor; a later one shows that the token was copied, and ends the session (RFC 9700 section 4.14.2).
create table identity.refresh_tokens (
    -- The person.
    account_id uuid not null,
    -- The session it belongs to.
    session_id uuid not null,
    -- SHA-256 of the token.
    hash bytea not null,
    -- When it was issued.
    created_at timestamptz not null default now(),
    -- Until when it can be used.
    expires_at timestamptz not null,
    -- When it was used, or retired because the session was switched; null: not yet.
    used_at timestamptz,
    -- Salt from which the successor was derived: SHA-256 of the token and the salt. Useless without the token; removed
    -- once the successor is no longer returned.
    salt bytea,
    -- SHA-256 of the successor; null until it exists, and after it was removed with the salt.
    successor bytea,
    constraint refresh_tokens_pkey primary key (account_id, session_id, hash),
    constraint refresh_tokens_session_fkey foreign key (
        account_id, session_id
    ) references identity.sessions(account_id, id) on delete cascade,
    constraint refresh_tokens_hash_length check (length(hash) = 32),
    constraint refresh_tokens_successor check (
        (salt is null) = (successor is null)
        and length(salt) = 32
        and length(successor) = 32
        and (salt is null or used_at is not null)
    )
);

create index refresh_tokens_expires_idx on identity.refresh_tokens using btree (expires_at);

alter table identity.refresh_tokens enable row level security, force row level security;

create policy gate_all on identity.refresh_tokens as permissive for all to appointd_gate
    using (true)
    with check (true);

grant select, insert, update, delete on identity.refresh_tokens to appointd_gate;


-- Time-based one-time passwords (RFC 6238): SHA-1, 6 digits, 30 seconds, as every authenticator app has them.
create table identity.second_factors (
    -- The person.
    account_id uuid not null default app.account(),
    -- The shared secret. It must be readable to compute codes: protect the database and its backups.
    secret bytea not null,
    -- When it was set up.
    created_at timestamptz not null default now(),
    -- When a first code proved that the app has the secret. From then on signing in requires a code.
    confirmed_at timestamptz,
    -- The 30-second step of the last accepted code, so that no code is accepted twice.
    last_step bigint not null default 0,
    constraint second_factors_pkey primary key (account_id),
    constraint second_factors_account_fkey foreign key (account_id) references identity.accounts(id) on delete cascade,
    constraint second_factors_secret_length check (length(secret) >= 16 and length(secret) <= 64)
);

alter table identity.second_factors enable row level security, force row level security;

create policy verified_insert on identity.second_factors as restrictive for insert to appointd_api
    with check (
        account_id = (select app.account())
        and (
            exists (
                select from identity.accounts a where a.id = second_factors.account_id
                and a.email_verified_at is not null
            )
        )
    );
create policy gate_all on identity.second_factors as permissive for all to appointd_gate
    using (true)
    with check (true);
create policy own_all on identity.second_factors as permissive for all to appointd_api
    using (account_id = (select app.account()))
    with check (account_id = (select app.account()));

grant select, delete on identity.second_factors to appointd_api;
grant insert (secret) on identity.second_factors to appointd_api;
grant update (secret, confirmed_at, last_step) on identity.second_factors to appointd_api;
grant select, insert, update, delete on identity.second_factors to appointd_gate;


-- Where an account is signed in. Access tokens name their session and have its secret; without its row they grant
-- nothing (see app.enter).
create table identity.sessions (
    -- The person.
    account_id uuid not null,
    -- UUIDv7, the claim `sid` of the tokens of the session.
    id uuid not null,
    -- The organization that the session is for; null: none. Switching moves the session to another organization. No
    -- foreign key: the membership is checked on every entry.
    organization_id uuid,
    -- token: refreshed by rotating refresh tokens. cookie: a browser session, not refreshed.
    kind text not null,
    -- SHA-256 of the secret of the session, the claim `key` of its tokens. Only functions of the gate read it.
    secret_hash bytea not null,
    -- User-Agent of the client that signed in, at most 300 characters.
    user_agent text,
    -- Network address that the person signed in from.
    address inet,
    -- When the person signed in.
    created_at timestamptz not null default now(),
    -- When the session was last refreshed or switched.
    last_used_at timestamptz not null default now(),
    -- When the session ends at the latest, refreshed or not.
    expires_at timestamptz not null,
    constraint sessions_pkey primary key (account_id, id),
    constraint sessions_account_fkey foreign key (account_id) references identity.accounts(id) on delete cascade,
    constraint sessions_kind check (kind = any (array['token', 'cookie'])),
    constraint sessions_secret_hash_length check (length(secret_hash) = 32),
    constraint sessions_user_agent_length check (length(user_agent) <= 300)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index sessions_expires_idx on identity.sessions using btree (expires_at);

alter table identity.sessions enable row level security, force row level security;

create policy gate_all on identity.sessions as permissive for all to appointd_gate
    using (true)
    with check (true);
create policy own_all on identity.sessions as permissive for all to appointd_api
    using (account_id = (select app.account()))
    with check (account_id = (select app.account()));

grant delete on identity.sessions to appointd_api;
grant select (
    account_id, id, organization_id, kind, user_agent, address, created_at, last_used_at, expires_at
) on identity.sessions to appointd_api;
grant select, insert, update, delete on identity.sessions to appointd_gate;


-- Failed attempts to sign in, counted in the database so that several servers count together. Rules:
-- identity.count_attempt.
create table identity.sign_in_failures (
    -- What is counted: an account from one address, an address, an account from anywhere, or the codes of an account's
    -- second factor.
    bucket text not null,
    -- SHA-256 of the e-mail address, of the network address, of both, of an account that must give its password again,
    -- or of an account id (second_factor).
    subject bytea not null,
    -- Number of failed attempts.
    failures integer not null,
    -- Time of the last attempt. Counting restarts 15 minutes later; for second factors one day later.
    last_attempt_at timestamptz not null default now(),
    -- Attempts are refused until this time.
    blocked_until timestamptz not null default '-infinity'::timestamptz,
    constraint sign_in_failures_pkey primary key (bucket, subject),
    constraint sign_in_failures_bucket check (
        bucket = any (array['account_and_address', 'address', 'account', 'second_factor'])
    ),
    constraint sign_in_failures_subject_length check (length(subject) = 32)
);

create index sign_in_failures_time_idx on identity.sign_in_failures using btree (last_attempt_at);

alter table identity.sign_in_failures enable row level security, force row level security;

create policy gate_all on identity.sign_in_failures as permissive for all to appointd_gate
    using (true)
    with check (true);

grant select, insert, update, delete on identity.sign_in_failures to appointd_gate;


-- Sets a new password for the account in the context, and ends all its sessions but one.
create function identity.change_password(kept_session uuid, new_password_hash text)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := app.account();
begin
    update identity.accounts as a set password_hash = new_password_hash, updated_at = now() where a.id = account;
    delete from identity.sessions as s where s.account_id = account and s.id <> kept_session;
    delete from identity.one_time_tokens as t where t.account_id = account and t.purpose = 'reset_password';
end
$$;

alter function identity.change_password(uuid,text) owner to appointd_gate;
grant execute on function identity.change_password(uuid,text) to appointd_door;


-- Counts an attempt at a code of a second factor: of the account in the context, or, before sign-in is complete, of the
-- given account, whose password was right. Returns the seconds to wait; 0: the code may be compared. Only a right code
-- takes the count back (identity.code_given, identity.start_session); a right password does not.
create function identity.code_attempt(account_id uuid)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- A signed-in account can only try its own codes.
    account constant uuid := coalesce(app.account(), account_id);
    subject constant bytea := sha256(convert_to(account::text, 'UTF8'));
    retry_after integer;
begin
    if not exists (select from identity.second_factors as f where f.account_id = account) then
        return 0;
    end if;
    retry_after := identity.wait_for('second_factor', subject);
    if retry_after = 0 then
        -- Six digits, three valid codes at a time: at 40 guesses a day an attacker needs 20 years on average.
        perform identity.count_attempt('second_factor', subject, 10, interval '1 hour', interval '1 day');
    end if;
    return retry_after;
end
$$;

alter function identity.code_attempt(uuid) owner to appointd_gate;
grant execute on function identity.code_attempt(uuid) to appointd_door;


-- Takes back what identity.code_attempt counted for the account in the context: the code was right.
create function identity.code_given()
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from identity.sign_in_failures as f
    where
        f.bucket = 'second_factor'
        and f.subject = sha256(convert_to(app.account()::text, 'UTF8'));
end
$$;

alter function identity.code_given() owner to appointd_gate;
grant execute on function identity.code_given() to appointd_api;


-- Counts an attempt as failed until identity.start_session takes it back. After free_attempts in a row each further
-- attempt doubles the wait, up to `longest`; a period of `remembered` without attempts resets the count. Counting
-- before the secret is compared leaves no gap for concurrent attempts. Call identity.wait_for first.
create function identity.count_attempt(
    bucket text, subject bytea, free_attempts integer, longest interval,
    remembered interval default '00:15:00'::interval
)
returns void
language plpgsql
as $$
begin
    update identity.sign_in_failures as f
    set
        failures = n.failures,
        last_attempt_at = now(),
        -- This attempt may be made; the next has to wait, twice as long each time.
        blocked_until = case
            when n.failures > free_attempts
                then now() + least(longest, interval '1 second' * power(2, least(n.failures - free_attempts, 20)))
            else f.blocked_until
        end
    from (
        select case when c.last_attempt_at < now() - remembered then 1 else c.failures + 1 end as failures
        from identity.sign_in_failures as c
        where c.bucket = count_attempt.bucket and c.subject = count_attempt.subject
    ) as n
    where f.bucket = count_attempt.bucket and f.subject = count_attempt.subject;
end
$$;

alter function identity.count_attempt(text,bytea,integer,interval,interval) owner to appointd_gate;


-- E-mail address of an account that the caller may see; null if they may not.
create function identity.email_of(account uuid)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select a.email from identity.accounts as a where a.id = account);
end
$$;

grant execute on function identity.email_of(uuid) to appointd_api;


-- Called on the first proof that a person reads mail at the address of an account. Ends what was set up before,
-- possibly by another person: second factor, sessions (but one), tokens sent, and what the account handed out in its
-- organizations.
create function identity.end_unproved(account uuid, kept_session uuid)
returns void
language plpgsql
as $$
declare
    entered constant uuid := app.tenant();
    signed_in constant uuid := app.account();
    membership record;
begin
    delete from identity.second_factors as f where f.account_id = account;
    delete from identity.sessions as s where s.account_id = account and s.id is distinct from kept_session;
    delete from identity.one_time_tokens as t where t.account_id = account;
    perform app.set_account(account);
    for membership in select m.tenant_id from tenancy.members as m where m.account_id = account loop
        perform tenancy.end_handed_out(membership.tenant_id, account);
    end loop;
    perform app.set_account(signed_in);
    perform app.set_tenant(entered);
end
$$;

alter function identity.end_unproved(uuid,uuid) owner to appointd_gate;


-- The organizations of an account, in the order of joining, as JSON.
create function identity.memberships_of(account_id uuid)
returns jsonb
language plpgsql
as $$
begin
    perform app.set_account(account_id);
    return (
        select
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'organization_id', o.id, 'name', o.name, 'slug', o.slug, 'subdomain', o.subdomain,
                        'role', m.role, 'status', case when m.status = 'active' then o.status else m.status end,
                        'purge_after', o.purge_after,
                        'former_slugs', array(
                            select f.name
                            from tenancy.former_names as f
                            where f.organization_id = o.id and f.kind = 'slug' and f.kept_until > now()
                        )
                    )
                    order by m.created_at, o.id
                ),
                '[]'
            )
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where m.account_id = memberships_of.account_id
    );
end
$$;

alter function identity.memberships_of(uuid) owner to appointd_gate;


-- Moves the session of the account in the context to another organization of which it is an active member, with a new
-- refresh token. The previous tokens are retired, and answered as `followed` for ten seconds
-- (identity.refresh_session).
create function identity.move_session(
    session_id uuid, to_organization uuid, refresh_hash bytea, out moved boolean, out expires_at timestamptz
)
returns record
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := app.account();
begin
    perform app.stay_outside();
    moved := exists (
        select
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where m.tenant_id = to_organization and m.account_id = account and m.status = 'active' and o.status = 'active'
    );
    if not moved then
        return;
    end if;
    update identity.sessions as s
    set organization_id = to_organization, last_used_at = now()
    where s.account_id = account and s.id = session_id
    returning s.expires_at into expires_at;
    if refresh_hash is not null then
        update identity.refresh_tokens as t
        set used_at = now()
        where t.account_id = account and t.session_id = move_session.session_id and t.used_at is null;
        insert into identity.refresh_tokens (account_id, session_id, hash, expires_at)
        values (account, session_id, refresh_hash, now() + interval '30 days');
    end if;
end
$$;

alter function identity.move_session(uuid,uuid,bytea) owner to appointd_gate;
grant execute on function identity.move_session(uuid,uuid,bytea) to appointd_door;


-- identity.memberships_of for the account in the context.
create function identity.my_memberships()
returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := app.account();
begin
    if account is null then
        raise exception 'no account has signed in' using errcode = 'AP401';
    end if;
    return identity.memberships_of(account);
end
$$;

alter function identity.my_memberships() owner to appointd_gate;
grant execute on function identity.my_memberships() to appointd_api;


-- Takes back what identity.password_of_account counted: the password was right.
create function identity.password_given()
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from identity.sign_in_failures as f
    where
        f.bucket = 'account'
        and f.subject = sha256(convert_to('again ' || app.account()::text, 'UTF8'));
end
$$;

alter function identity.password_given() owner to appointd_gate;
grant execute on function identity.password_given() to appointd_door;


-- The password hash of the account in the context, whose password has to be given again before it is changed. Attempts
-- are counted: retry_after > 0: too many, try again after so many seconds. identity.password_given takes that back.
create function identity.password_of_account(out retry_after integer, out password_hash text)
returns record
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := app.account();
    subject constant bytea := sha256(convert_to('again ' || account, 'UTF8'));
begin
    -- A person who has a token but not the password must not be able to guess it here.
    retry_after := identity.wait_for('account', subject);
    if retry_after > 0 then
        return;
    end if;
    perform identity.count_attempt('account', subject, 10, interval '15 minutes');
    select a.password_hash into password_hash from identity.accounts as a where a.id = account;
end
$$;

alter function identity.password_of_account() owner to appointd_gate;
grant execute on function identity.password_of_account() to appointd_door;


-- Deletes expired sessions, tokens and counts of attempts; returns how many. Called by `appointd tenant purge`.
create function identity.purge_expired()
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    purged bigint;
    here bigint;
begin
    delete from identity.sessions as s where s.expires_at < now();
    get diagnostics purged = row_count;
    delete from identity.one_time_tokens as t where t.expires_at < now();
    get diagnostics here = row_count;
    purged := purged + here;
    -- A token used that long ago is no longer found: its holder is told that it is unknown.
    delete from identity.refresh_tokens as t where t.expires_at < now();
    get diagnostics here = row_count;
    purged := purged + here;
    delete from identity.sign_in_failures as f
    where f.last_attempt_at < now() - interval '1 day' and f.blocked_until < now();
    get diagnostics here = row_count;
    purged := purged + here;
    -- After two days without mails a budget is full again.
    delete from messaging.mail_budgets as b where b.counted_at < now() - interval '2 days';
    get diagnostics here = row_count;
    return purged + here;
end
$$;

alter function identity.purge_expired() owner to appointd_gate;
grant execute on function identity.purge_expired() to appointd_owner;
grant execute on function identity.purge_expired() to appointd_worker;


-- Exchanges a refresh token for its successor: `refreshed`, the successor being SHA-256 of the token and `salt`, which
-- is new_salt the first time and stays the same for ten seconds; `followed` if that successor was used as well: derive
-- it and call again with it; `unknown` if the token does not exist; `reused` if it was used longer ago: it was copied,
-- and the session has ended for both holders (RFC 9700 section 4.14.2).
create function identity.refresh_session(
    account_id uuid, session_id uuid, old_hash bytea, new_salt bytea, new_hash bytea, out outcome text,
    out organization_id uuid, out salt bytea
)
returns record
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Allows for two tabs that refresh at the same time, and for an answer that was lost.
    leeway constant interval := interval '10 seconds';
    token identity.refresh_tokens;
begin
    perform app.stay_outside();
    perform app.set_account(account_id);
    select t.* into token
    from identity.refresh_tokens as t
    where t.account_id = refresh_session.account_id and t.session_id = refresh_session.session_id and t.hash = old_hash
    for update;
    if token.hash is null or token.expires_at < now() then
        outcome := 'unknown';
        return;
    end if;
    if token.used_at < now() - leeway then
        delete from identity.sessions as s
        where s.account_id = refresh_session.account_id and s.id = refresh_session.session_id;
        outcome := 'reused';
        return;
    end if;
    if token.salt is not null and not exists (
        select
        from identity.refresh_tokens as t
        where
            t.account_id = refresh_session.account_id
            and t.session_id = refresh_session.session_id
            and t.hash = token.successor
            and t.used_at is null
    ) then
        salt := token.salt;
        outcome := 'followed';
        return;
    end if;
    -- At the host of another organization the token is unknown, and stays valid.
    if not tenancy.host_admits((
        select s.organization_id
        from identity.sessions as s
        where s.account_id = refresh_session.account_id and s.id = refresh_session.session_id
    )) then
        outcome := 'unknown';
        return;
    end if;
    update identity.sessions as s
    set last_used_at = now()
    where s.account_id = refresh_session.account_id and s.id = refresh_session.session_id and s.expires_at > now()
    returning s.organization_id into organization_id;
    if not found then
        outcome := 'unknown';
        return;
    end if;
    if token.salt is not null then
        salt := token.salt;
        outcome := 'refreshed';
    else
        -- Salts that are no longer returned are deleted: with a salt and an old token the present token could be
        -- computed.
        update identity.refresh_tokens as t
        set salt = null, successor = null
        where
            t.account_id = refresh_session.account_id
            and t.session_id = refresh_session.session_id
            and t.used_at < now() - leeway
            and t.salt is not null;
        -- A token that was retired by switching keeps its time of use.
        update identity.refresh_tokens as t
        set used_at = coalesce(t.used_at, now()), salt = new_salt, successor = new_hash
        where
            t.account_id = refresh_session.account_id
            and t.session_id = refresh_session.session_id
            and t.hash = old_hash;
        insert into identity.refresh_tokens (account_id, session_id, hash, expires_at)
        values (account_id, session_id, new_hash, now() + interval '30 days');
        salt := new_salt;
        outcome := 'refreshed';
    end if;
    -- If the account may no longer enter the organization, the tokens are for none.
    if not exists (
        select
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where
            m.tenant_id = refresh_session.organization_id
            and m.account_id = refresh_session.account_id
            and m.status = 'active'
            and o.status = 'active'
    ) then
        organization_id := null;
    end if;
end
$$;

alter function identity.refresh_session(uuid,uuid,bytea,bytea,bytea) owner to appointd_gate;
grant execute on function identity.refresh_session(uuid,uuid,bytea,bytea,bytea) to appointd_door;


-- Creates an account, an organization with the smallest plan and the membership that makes the account its owner, all
-- or nothing. A taken e-mail address or slug fails with 23505 on accounts_email_key or organizations_slug_key.
create function identity.register(
    account_id uuid, email text, password_hash text, full_name text, organization_id uuid, organization_name text,
    organization_slug text, time_zone text
)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    perform app.set_account(account_id);
    insert into identity.accounts (id, email, password_hash, full_name)
    values (account_id, email, password_hash, full_name);
    perform tenancy.found_organization(
        organization_id, account_id, organization_name, organization_slug, null, time_zone, 'basic', '{}', true
    );
end
$$;

alter function identity.register(uuid,text,text,text,uuid,text,text,text) owner to appointd_gate;
grant execute on function identity.register(uuid,text,text,text,uuid,text,text,text) to appointd_door;


-- Stores a token to set a new password for the account with this e-mail address; null if none has it, or if three
-- tokens were sent within the hour.
create function identity.request_password_reset(email text, token_hash bytea, lifetime interval, out token_account uuid)
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    select a.id into token_account from identity.accounts as a where a.email = request_password_reset.email;
    if token_account is null then
        return;
    end if;
    delete from identity.one_time_tokens as t where t.account_id = token_account and t.expires_at < now();
    -- Limits mails to a mailbox that others request.
    if (
        select count(*)
        from identity.one_time_tokens as t
        where t.account_id = token_account and t.purpose = 'reset_password' and t.created_at > now() - interval '1 hour'
    ) >= 3 then
        token_account := null;
        return;
    end if;
    insert into identity.one_time_tokens (account_id, hash, purpose, email, expires_at)
    values (token_account, token_hash, 'reset_password', email, now() + lifetime);
end
$$;

alter function identity.request_password_reset(text,bytea,interval) owner to appointd_gate;
grant execute on function identity.request_password_reset(text,bytea,interval) to appointd_door;


-- Sets a new password by a token sent by e-mail, which is used up, and ends every session of the account. If its
-- address was not verified before, also ends all that was set up (identity.end_unproved). False if the token is not
-- valid.
create function identity.reset_password(account_id uuid, token_hash bytea, new_password_hash text, address inet)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    sent_to text;
begin
    -- Concurrent proofs wait for each other here.
    perform from identity.accounts as a where a.id = reset_password.account_id for no key update;
    delete from identity.one_time_tokens as t
    where
        t.account_id = reset_password.account_id
        and t.hash = token_hash
        and t.purpose = 'reset_password'
        and t.expires_at > now()
    returning t.email into sent_to;
    if sent_to is null then
        return false;
    end if;
    if exists (
        select
        from identity.accounts as a
        where a.id = reset_password.account_id and a.email = sent_to and a.email_verified_at is null
    ) then
        perform identity.end_unproved(reset_password.account_id, null);
    end if;
    update identity.accounts as a
    set
        password_hash = new_password_hash,
        updated_at = now(),
        email_verified_at = case
            when a.email = sent_to then coalesce(a.email_verified_at, now())
            else a.email_verified_at
        end
    where a.id = reset_password.account_id;
    delete from identity.sessions as s where s.account_id = reset_password.account_id;
    delete from identity.one_time_tokens as t
    where t.account_id = reset_password.account_id and t.purpose = 'reset_password';
    -- Ends a wait that attempts of others caused.
    delete from identity.sign_in_failures as f
    where
        f.bucket = 'account_and_address'
        and f.subject = sha256(sha256(convert_to(sent_to, 'UTF8')) || identity.subscriber(address));
    delete from identity.sign_in_failures as f
    where f.bucket = 'account' and f.subject = sha256(convert_to(sent_to, 'UTF8'));
    return true;
end
$$;

alter function identity.reset_password(uuid,bytea,text,inet) owner to appointd_gate;
grant execute on function identity.reset_password(uuid,bytea,text,inet) to appointd_door;


-- What the server needs to check a password: always one row; account_id null: no account has that e-mail address.
-- retry_after > 0: too many attempts, try again after so many seconds. See identity.count_attempt.
create function identity.sign_in(
    email text, address inet, out retry_after integer, out account_id uuid, out password_hash text,
    out totp_secret bytea, out totp_last_step bigint, out memberships jsonb
)
returns record
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    by_email constant bytea := sha256(convert_to(email, 'UTF8'));
    by_address constant bytea := identity.subscriber(address);
begin
    perform app.stay_outside();
    delete from identity.sign_in_failures as f
    where f.last_attempt_at < now() - interval '1 day' and f.blocked_until < now();

    -- Attempts on one account from one address are slowed down most. Attempts on an account from all addresses
    -- together are delayed by at most a minute, since that affects its owner too. While a wait is due nothing is
    -- counted, so that continued attempts cannot lock the owner out for longer.
    retry_after := greatest(
        identity.wait_for('account_and_address', sha256(by_email || by_address)),
        identity.wait_for('address', by_address),
        identity.wait_for('account', by_email)
    );
    if retry_after > 0 then
        return;
    end if;
    perform identity.count_attempt('account_and_address', sha256(by_email || by_address), 10, interval '15 minutes');
    perform identity.count_attempt('address', by_address, 300, interval '15 minutes');
    perform identity.count_attempt('account', by_email, 100, interval '1 minute');

    select a.id, a.password_hash
    into account_id, password_hash
    from identity.accounts as a
    where a.email = sign_in.email;

    if account_id is not null then
        select f.secret, f.last_step
        into totp_secret, totp_last_step
        from identity.second_factors as f
        where f.account_id = sign_in.account_id and f.confirmed_at is not null;
        memberships := identity.memberships_of(account_id);
    end if;
end
$$;

alter function identity.sign_in(text,inet) owner to appointd_gate;
grant execute on function identity.sign_in(text,inet) to appointd_door;


-- Starts a session of an authenticated account: `started`; `password_changed` if verified_hash, which the password was
-- compared with, is no longer that of the account; `code_invalid` if a code is missing or was used before. Takes back
-- what identity.sign_in counted. new_password_hash: the same password, hashed with the present parameters.
create function identity.start_session(
    account_id uuid, session_id uuid, organization_id uuid, kind text, secret_hash bytea, refresh_hash bytea,
    lifetime interval, user_agent text, address inet, verified_hash text, new_password_hash text, totp_step bigint,
    recovery_hash bytea, out outcome text
)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    by_email bytea;
    by_address constant bytea := identity.subscriber(address);
begin
    perform app.stay_outside();
    -- Comparing a password takes a while. A concurrent change of the password either waits here for this session and
    -- ends it, or has changed the hash, and this starts no session.
    select sha256(convert_to(a.email, 'UTF8')) into by_email
    from identity.accounts as a
    where a.id = start_session.account_id and (verified_hash is null or a.password_hash = verified_hash)
    for no key update;
    if by_email is null then
        outcome := 'password_changed';
        return;
    end if;
    if verified_hash is not null and totp_step is null and recovery_hash is null and exists (
        select
        from identity.second_factors as f
        where f.account_id = start_session.account_id and f.confirmed_at is not null
    ) then
        outcome := 'code_invalid';
        return;
    end if;
    -- A code is valid once, also for two requests that send it at the same time.
    if totp_step is not null then
        update identity.second_factors as f
        set last_step = totp_step
        where f.account_id = start_session.account_id and f.last_step < totp_step;
        if not found then
            outcome := 'code_invalid';
            return;
        end if;
    end if;
    if recovery_hash is not null then
        delete from identity.recovery_codes as c
        where c.account_id = start_session.account_id and c.hash = recovery_hash;
        if not found then
            outcome := 'code_invalid';
            return;
        end if;
    end if;

    delete from identity.sessions as s where s.account_id = start_session.account_id and s.expires_at < now();
    insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, user_agent, address, expires_at)
    values (
        account_id, session_id, organization_id, kind, secret_hash, left(user_agent, 300), address, now() + lifetime
    );
    if refresh_hash is not null then
        insert into identity.refresh_tokens (account_id, session_id, hash, expires_at)
        values (account_id, session_id, refresh_hash, now() + interval '30 days');
    end if;

    if new_password_hash is not null then
        update identity.accounts as a set password_hash = new_password_hash where a.id = start_session.account_id;
    end if;
    -- In the order in which identity.sign_in locks them.
    delete from identity.sign_in_failures as f
    where f.bucket = 'account_and_address' and f.subject = sha256(by_email || by_address);
    update identity.sign_in_failures as f
    set failures = greatest(f.failures - 1, 0)
    where f.bucket = 'address' and f.subject = by_address;
    delete from identity.sign_in_failures as f
    where f.bucket = 'account' and f.subject = by_email;
    if totp_step is not null or recovery_hash is not null then
        delete from identity.sign_in_failures as f
        where f.bucket = 'second_factor' and f.subject = sha256(convert_to(account_id::text, 'UTF8'));
    end if;
    outcome := 'started';
end
$$;

alter function identity.start_session(
    uuid,uuid,uuid,text,bytea,bytea,interval,text,inet,text,text,bigint,bytea
) owner to appointd_gate;
grant execute on function identity.start_session(
    uuid,uuid,uuid,text,bytea,bytea,interval,text,inet,text,text,bigint,bytea
) to appointd_door;


-- Key by which attempts from a network address are counted.
create function identity.subscriber(address inet)
returns bytea
language sql immutable parallel safe
return sha256(
    convert_to(
        text(case when (family(address) = 6) then (network(set_masklen(address, 64)))::inet else address end),
        'UTF8'::name
    )
);

alter function identity.subscriber(inet) owner to appointd_gate;


-- The address that a one-time token was sent to; null if the token is not valid.
create function identity.token_email(account_id uuid, token_hash bytea)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select t.email
        from identity.one_time_tokens as t
        where t.account_id = token_email.account_id and t.hash = token_hash and t.expires_at > now()
    );
end
$$;

alter function identity.token_email(uuid,bytea) owner to appointd_gate;
grant execute on function identity.token_email(uuid,bytea) to appointd_door;


-- Verifies the address of the account in the context by a token sent to it, which is used up. The first time it ends
-- what was set up before (identity.end_unproved), except the session that asks. Requires both session and token: a link
-- opened by the owner of the address must not verify the account of another person who registered it. False if the
-- token is not valid.
create function identity.verify_email(kept_session uuid, token_hash bytea)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := app.account();
    sent_to text;
    verified boolean;
begin
    select a.email_verified_at is not null into verified
    from identity.accounts as a
    where a.id = account
    for no key update;
    delete from identity.one_time_tokens as t
    where t.account_id = account and t.hash = token_hash and t.purpose = 'verify_email' and t.expires_at > now()
    returning t.email into sent_to;
    update identity.accounts as a
    set email_verified_at = coalesce(a.email_verified_at, now())
    where a.id = account and a.email = sent_to;
    if not found then
        return false;
    end if;
    if not verified then
        perform identity.end_unproved(account, kept_session);
    end if;
    return true;
end
$$;

alter function identity.verify_email(uuid,bytea) owner to appointd_gate;
grant execute on function identity.verify_email(uuid,bytea) to appointd_door;


-- Seconds to wait before an attempt may be made; 0: none. Locks the row, so that each of several concurrent attempts is
-- counted.
create function identity.wait_for(bucket text, subject bytea)
returns integer
language plpgsql
as $$
declare
    until timestamptz;
begin
    insert into identity.sign_in_failures (bucket, subject, failures)
    values (bucket, subject, 0)
    on conflict on constraint sign_in_failures_pkey do nothing;
    select f.blocked_until into until
    from identity.sign_in_failures as f
    where f.bucket = wait_for.bucket and f.subject = wait_for.subject
    for update;
    return case when until > now() then ceil(extract(epoch from until - now())) else 0 end;
end
$$;

alter function identity.wait_for(text,bytea) owner to appointd_gate;
