-- Signing in: what has to happen before a tenant is known. Functions that run as appointd_gate, which bypasses nothing
-- and has policies of its own.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema identity to appointd_gate;
set local role appointd_gate;

create function identity.subscriber(address inet) returns bytea
language sql immutable parallel safe
-- A subscriber with one IPv6 address has a whole /64.
return sha256(
    convert_to(text(case when family(address) = 6 then network(set_masklen(address, 64)) else address end), 'UTF8')
);

comment on function identity.subscriber(inet) is 'Key by which attempts from a network address are counted.';

create function identity.wait_for(bucket text, subject bytea) returns integer
language plpgsql volatile
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

comment on function identity.wait_for(text, bytea) is
    'Seconds to wait before an attempt may be made; 0: none. Locks the row, so that each of several concurrent '
    'attempts is counted.';

create function identity.count_attempt(
    bucket text, subject bytea, free_attempts integer, longest interval, remembered interval default '15 minutes'
) returns void
language plpgsql volatile
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

comment on function identity.count_attempt(text, bytea, integer, interval, interval) is
    'Counts an attempt as failed until identity.start_session takes it back. After free_attempts in a row each '
    'further attempt doubles the wait, up to `longest`; a period of `remembered` without attempts resets the count. '
    'Counting before the secret is compared leaves no gap for concurrent attempts. Call identity.wait_for first.';

create function identity.code_attempt(account_id uuid) returns integer
language plpgsql volatile security definer
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

comment on function identity.code_attempt(uuid) is
    'Counts an attempt at a code of a second factor: of the account in the context, or, before sign-in is complete, '
    'of the given account, whose password was right. Returns the seconds to wait; 0: the code may be compared. Only a '
    'right code takes the count back (identity.code_given, identity.start_session); a right password does not.';

create function identity.code_given() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from identity.sign_in_failures as f
    where
        f.bucket = 'second_factor'
        and f.subject = sha256(convert_to(app.account()::text, 'UTF8'));
end
$$;

comment on function identity.code_given() is
    'Takes back what identity.code_attempt counted for the account in the context: the code was right.';

create function identity.memberships_of(account_id uuid) returns jsonb
language plpgsql volatile
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

comment on function identity.memberships_of(uuid) is
    'The organizations of an account, in the order of joining, as JSON.';

create function identity.my_memberships() returns jsonb
language plpgsql volatile security definer
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

comment on function identity.my_memberships() is 'identity.memberships_of for the account in the context.';

create function identity.sign_in(
    in email text,
    in address inet,
    out retry_after integer,
    out account_id uuid,
    out password_hash text,
    out totp_secret bytea,
    out totp_last_step bigint,
    out memberships jsonb
)
language plpgsql volatile security definer
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

comment on function identity.sign_in(text, inet) is
    'What the server needs to check a password: always one row; account_id null: no account has that e-mail address. '
    'retry_after > 0: too many attempts, try again after so many seconds. See identity.count_attempt.';

create function identity.start_session(
    in account_id uuid,
    in session_id uuid,
    in organization_id uuid,
    in kind text,
    in secret_hash bytea,
    in refresh_hash bytea,
    in lifetime interval,
    in user_agent text,
    in address inet,
    in verified_hash text,
    in new_password_hash text,
    in totp_step bigint,
    in recovery_hash bytea,
    out outcome text
)
language plpgsql volatile security definer
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

comment on function identity.start_session(
    uuid, uuid, uuid, text, bytea, bytea, interval, text, inet, text, text, bigint, bytea
) is
    'Starts a session of an authenticated account: `started`; `password_changed` if verified_hash, which the password '
    'was compared with, is no longer that of the account; `code_invalid` if a code is missing or was used before. '
    'Takes back what identity.sign_in counted. new_password_hash: the same password, hashed with the present '
    'parameters.';

grant execute on function identity.code_given(), identity.my_memberships() to appointd_api;
grant execute on function
    identity.code_attempt(uuid),
    identity.sign_in(text, inet),
    identity.start_session(uuid, uuid, uuid, text, bytea, bytea, interval, text, inet, text, text, bigint, bytea)
to appointd_door;
reset role;
revoke create on schema identity from appointd_gate;
