-- Sessions of the signed-in account, refreshed and moved: functions that run as appointd_gate, before a tenant is
-- entered.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema identity to appointd_gate;
set local role appointd_gate;

create function identity.refresh_session(
    in account_id uuid,
    in session_id uuid,
    in old_hash bytea,
    in new_salt bytea,
    in new_hash bytea,
    out outcome text,
    out organization_id uuid,
    out salt bytea
)
language plpgsql volatile security definer
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

comment on function identity.refresh_session(uuid, uuid, bytea, bytea, bytea) is
    'Exchanges a refresh token for its successor: `refreshed`, the successor being SHA-256 of the token and `salt`, '
    'which is new_salt the first time and stays the same for ten seconds; `followed` if that successor was used as '
    'well: derive it and call again with it; `unknown` if the token does not exist; `reused` if it was used longer '
    'ago: it was copied, and the session has ended for both holders (RFC 9700 section 4.14.2).';

create function identity.move_session(
    in session_id uuid,
    in to_organization uuid,
    in refresh_hash bytea,
    out moved boolean,
    out expires_at timestamptz
)
language plpgsql volatile security definer
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

comment on function identity.move_session(uuid, uuid, bytea) is
    'Moves the session of the account in the context to another organization of which it is an active member, with a '
    'new refresh token. The previous tokens are retired, and answered as `followed` for ten seconds '
    '(identity.refresh_session).';

create function identity.purge_expired() returns bigint
language plpgsql volatile security definer
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

comment on function identity.purge_expired() is
    'Deletes expired sessions, tokens and counts of attempts; returns how many. Called by `appointd tenant purge`.';

grant execute on function
    identity.refresh_session(uuid, uuid, bytea, bytea, bytea),
    identity.move_session(uuid, uuid, bytea)
to appointd_door;
grant execute on function identity.purge_expired() to appointd_owner;
reset role;
revoke create on schema identity from appointd_gate;
