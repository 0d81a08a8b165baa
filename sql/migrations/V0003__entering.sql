-- Entering: the first statement of every transaction sets its context, which is all that the policies know. Each
-- function asks what may stand in the way: the session has ended, the membership or the organization is not active,
-- the role is too low, the plan lacks the feature, the host belongs to another organization, the key lacks the scope.
--
-- The bodies name tables of later files: PL/pgSQL looks them up when the function runs. Policies of later files call
-- app.may_hand_out, so the functions come first.

create function app.stay_outside() returns void
language plpgsql stable
as $$
begin
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant' using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;

comment on function app.stay_outside() is
    'Fails if the transaction has entered a tenant. First statement of functions of the gate that enter one '
    'themselves.';

create function app.has_feature(tenant uuid, feature text) returns boolean
language plpgsql stable
as $$
begin
    return exists (
        select
        from tenancy.subscriptions as s
        join tenancy.plan_features as f on f.plan_type = s.plan_type
        where
            s.tenant_id = tenant
            and f.feature = has_feature.feature
            and not has_feature.feature = any (s.disabled_features)
    );
end
$$;

comment on function app.has_feature(uuid, text) is
    'Whether the organization in the context has a feature: its plan includes it, and it was not switched off.';

create function app.plans_with(tenant uuid, feature text) returns text
language plpgsql stable
as $$
begin
    return concat_ws(' ', feature, (
        select string_agg(f.plan_type, ' ' order by p.position)
        from tenancy.plan_features as f
        join tenancy.plans as p on p.plan_type = f.plan_type
        where
            f.feature = plans_with.feature
            and not exists (
                select
                from tenancy.subscriptions as s
                where s.tenant_id = tenant and plans_with.feature = any (s.disabled_features)
            )
    ));
end
$$;

comment on function app.plans_with(uuid, text) is
    'For an answer: a feature that the organization in the context lacks, followed by the plans that include it; no '
    'plan if the feature was switched off.';

create function app.check_way_in(tenant uuid, feature text, host text) returns void
language plpgsql stable
as $$
begin
    if host is not null
    and (
        exists (select from tenancy.organizations as o where o.id = tenant and o.subdomain = host)
        or exists (
            select
            from tenancy.former_names as f
            where f.kind = 'subdomain' and f.name = host and f.organization_id = tenant and f.kept_until > now()
        )
        or (
            exists (select from tenancy.verified_domains as d where d.domain = host and d.organization_id = tenant)
            and app.has_feature(tenant, 'custom_branding')
        )
    ) is not true then
        raise exception 'the host leads elsewhere' using errcode = 'AP404';
    end if;
    if feature is not null and app.has_feature(tenant, feature) is not true then
        raise exception 'feature not in plan' using errcode = 'AP402', hint = app.plans_with(tenant, feature);
    end if;
end
$$;

comment on function app.check_way_in(uuid, text, text) is
    'Checks common to app.enter and app.enter_by_key, once the tenant is in the context.';

create function app.may_hand_out() returns boolean
language plpgsql stable
as $$
begin
    return app.account() is null
        or exists (
            select
            from identity.accounts as a
            where a.id = app.account() and a.email_verified_at is not null
        );
end
$$;

comment on function app.may_hand_out() is
    'Whether the actor in the context may send invitations and make API keys: an account with a verified e-mail '
    'address, or an API key (only such an account could make it).';

-- Policies ask them as the server.
grant execute on function app.may_hand_out(), app.has_feature(uuid, text) to appointd_api;

grant execute on function
    app.stay_outside(),
    app.has_feature(uuid, text),
    app.plans_with(uuid, text),
    app.check_way_in(uuid, text, text)
to appointd_gate;

-- The functions that enter run as the gate: they compare what a caller presents with hashes that the caller may not
-- read.
grant create on schema app to appointd_gate;
set local role appointd_gate;

create function app.enter(
    tenant uuid, account uuid, session uuid, secret bytea, needs text, feature text, host text, request text
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    held text;
begin
    if tenant is null or account is null or session is null or secret is null or app.roles_from(needs) is null then
        raise exception 'a tenant, an account, a session, its secret and a known role are required'
            using errcode = 'AP401';
    end if;
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant already'
            using errcode = 'object_not_in_prerequisite_state';
    end if;

    -- It ends with the transaction, so a pooled connection forgets. Without a role it admits the gate alone.
    perform app.set_context(app.context_of(tenant, account, null, null, null));
    execute format('set local app.request_id = %L', coalesce(request, ''));

    -- The rows decide, not the token: signing out, removal and suspension (of the member or of the organization) take
    -- effect at once.
    select m.role
    into held
    from tenancy.members as m
    join tenancy.organizations as o on o.id = m.tenant_id
    join identity.sessions as s on s.account_id = m.account_id
    where
        m.tenant_id = tenant
        and m.account_id = account
        and m.status = 'active'
        and o.status = 'active'
        and s.account_id = account
        and s.id = session
        and s.secret_hash = sha256(secret)
        and s.organization_id = tenant
        and s.expires_at > now()
        -- A session from before the member left and rejoined is not valid.
        and s.last_used_at >= m.created_at;

    if held is null then
        raise exception 'no active membership or session' using errcode = 'AP401';
    end if;
    if (held = any (app.roles_from(needs))) is not true then
        -- The hint is for the answer: which role is held.
        raise exception 'role too low' using errcode = 'AP403', hint = held;
    end if;
    -- Rare: most operations ask for no feature, and most requests come to a host of the server itself.
    if host is not null or feature is not null then
        perform app.check_way_in(tenant, feature, host);
    end if;
    perform app.set_context(app.context_of(tenant, account, null, null, held));
end
$$;

comment on function app.enter(uuid, uuid, uuid, bytea, text, text, text, text) is
    'Enters a tenant for the rest of the transaction, as the signed-in member who has the secret of the session. First '
    'statement of an explicit transaction, once, never in a savepoint. Fails with AP401 (not an active member with a '
    'session, or another secret), AP403 (the member''s role ranks below `needs`), AP402 (the plan lacks `feature`) or '
    'AP404 (`host` belongs to another organization); a transaction that failed to enter sees no rows.';

create function app.enter_by_key(
    tenant uuid, key uuid, secret bytea, needs text, scope text, feature text, host text, request text
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    found record;
begin
    if tenant is null or key is null or secret is null or app.roles_from(needs) is null then
        raise exception 'a tenant, a key, its secret and a known role are required' using errcode = 'AP401';
    end if;
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant already'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform app.set_context(app.context_of(tenant, null, key, null, null));
    execute format('set local app.request_id = %L', coalesce(request, ''));

    -- A key is worth at most what its maker is now: nothing once they are removed or suspended.
    select app.lower_role(k.role, tenancy.standing(k.created_by)) as role, k.scopes, k.last_used_at
    into found
    from tenancy.api_keys as k
    join tenancy.organizations as o on o.id = k.tenant_id
    where
        k.tenant_id = tenant
        and k.id = key
        and k.secret_hash = sha256(secret)
        and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now())
        and o.status = 'active';

    if found.role is null then
        raise exception 'unknown key' using errcode = 'AP406';
    end if;
    if app.has_feature(tenant, 'api_access') is not true then
        raise exception 'feature not in plan' using errcode = 'AP402', hint = app.plans_with(tenant, 'api_access');
    end if;
    if (found.role = any (app.roles_from(needs))) is not true then
        raise exception 'role too low' using errcode = 'AP403', hint = found.role;
    end if;
    perform app.check_way_in(tenant, feature, host);
    if (scope = any (found.scopes) or replace(scope, ':read', ':write') = any (found.scopes)) is not true then
        raise exception 'scope missing' using errcode = 'AP405';
    end if;
    perform app.set_context(app.context_of(tenant, null, key, null, found.role));
    -- To the minute, so that a busy key does not write with every request.
    if found.last_used_at is null or found.last_used_at < now() - interval '1 minute' then
        update tenancy.api_keys as k set last_used_at = now() where k.tenant_id = tenant and k.id = key;
    end if;
end
$$;

comment on function app.enter_by_key(uuid, uuid, bytea, text, text, text, text, text) is
    'Enters a tenant as app.enter does, for a program that sent an API key. Fails as app.enter does, with AP406 (the '
    'key is unknown, was revoked or has expired, its maker is no active member, or the organization is not active) and '
    'with AP405 (the key lacks the scope). A scope to write includes that to read.';

create function app.enter_account(account uuid, session uuid, secret bytea, host text, request text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    organization uuid;
begin
    if account is null or session is null or secret is null then
        raise exception 'an account, a session and its secret are required' using errcode = 'AP401';
    end if;
    if app.account() is not null then
        raise exception 'this transaction has entered already' using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform app.begin_request(request, host);
    perform app.set_context(app.context_of(null, account, null, null, null));
    select s.organization_id
    into organization
    from identity.sessions as s
    where
        s.account_id = account
        and s.id = session
        and s.secret_hash = sha256(secret)
        and s.expires_at > now();
    if not found then
        raise exception 'no active session' using errcode = 'AP401';
    end if;
    -- A session for no organization is valid at every host: to accept an invitation, or to register there.
    if host is not null
    and organization is not null
    and organization is distinct from tenancy.organization_at(host) then
        raise exception 'the host leads elsewhere' using errcode = 'AP404';
    end if;
end
$$;

comment on function app.enter_account(uuid, uuid, bytea, text, text) is
    'Enters as a signed-in person, who has the secret of the session, without a tenant: shows the rows of the account, '
    'and of no organization. Fails with AP401 (no active session, or another secret) or AP404 (`host` belongs to '
    'another organization than the session).';

-- Customers with an account see what can be booked online, as guests do, and their own appointments, holds and
-- waitlist entries. Rows decide what is their own, never an id that a client sends: the contact that is linked to
-- their account, or the account that made a hold. app.subject() is the one thing they are about to make or change, and
-- only narrows.
create function app.enter_customer(
    tenant uuid, account uuid, session uuid, secret bytea, subject uuid, feature text, host text, request text
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if subject is null then
        raise exception 'what is to be made or changed is required' using errcode = 'AP401';
    end if;
    perform app.enter(tenant, account, session, secret, 'customer', feature, host, request);
    perform app.set_context(app.context_of(tenant, account, null, subject, app.role()));
end
$$;

comment on function app.enter_customer(uuid, uuid, uuid, bytea, uuid, text, text, text) is
    'Enters a tenant for the rest of the transaction as a customer with an account, who makes or changes one '
    'appointment, hold or waitlist entry: that with the id `subject`. Fails as app.enter does.';

-- Guests are customers without an account. They see what can be booked online and when; they book; with the link they
-- then get they see, move and cancel that one appointment. Their policies are with each table (app.open_to).
create function app.enter_guest(
    tenant uuid, appointment uuid, proof bytea, feature text, host text, request text
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tenant is null or appointment is null then
        raise exception 'a tenant and an appointment are required' using errcode = 'AP401';
    end if;
    -- Zeros are the id of nothing: of a guest who looks for a time.
    if appointment is distinct from '00000000-0000-0000-0000-000000000000'
    and (proof = app.proof('guest', tenant, appointment)) is not true then
        raise exception 'no proof of the appointment' using errcode = 'AP401';
    end if;
    if app.role() is not null then
        raise exception 'this transaction has entered a tenant already'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform app.set_context(app.context_of(tenant, null, null, appointment, null));
    execute format('set local app.request_id = %L', coalesce(request, ''));
    if not exists (select from tenancy.organizations as o where o.id = tenant and o.status = 'active') then
        raise exception 'unknown organization' using errcode = 'AP404';
    end if;
    perform app.check_way_in(tenant, feature, host);
    perform app.set_context(app.context_of(tenant, null, null, appointment, 'guest'));
end
$$;

comment on function app.enter_guest(uuid, uuid, bytea, text, text, text) is
    'Enters a tenant for the rest of the transaction as a guest, who sees its public side and one hold, waitlist '
    'entry or appointment, of which the guest has the proof (app.guest_proof): one that is about to be made, or that '
    'of the guest''s link. Fails with AP401 (another proof), AP404 (no active organization, or `host` belongs to '
    'another) or AP402 (the plan lacks `feature`).';

-- The scheduler: the server itself, when it offers freed time. It sees what decides when something can be booked, and
-- who waits; no names, addresses or notes. It holds time for waitlist entries and deletes expired holds.
create function app.enter_scheduler(tenant uuid, proof bytea, request text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tenant is null then
        raise exception 'a tenant is required' using errcode = 'AP401';
    end if;
    if app.role() is null then
        if (proof = app.proof('scheduler', tenant, tenant)) is not true then
            raise exception 'no proof of the scheduler' using errcode = 'AP401';
        end if;
        perform app.set_context(app.context_of(tenant, null, null, null, null));
        execute format('set local app.request_id = %L', coalesce(request, ''));
        if not exists (select from tenancy.organizations as o where o.id = tenant and o.status = 'active') then
            raise exception 'unknown organization' using errcode = 'AP404';
        end if;
    elsif app.tenant() is distinct from tenant then
        raise exception 'this transaction has entered another tenant'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    -- From here on the actor is no person.
    perform app.set_context(app.context_of(tenant, null, null, app.subject(), 'scheduler'));
end
$$;

comment on function app.enter_scheduler(uuid, bytea, text) is
    'Enters a tenant as the scheduler, with its proof (app.scheduler_proof), or becomes the scheduler for the rest of '
    'a transaction that has entered the tenant, without one. Fails with AP401 (another proof) or AP404 (the '
    'organization is not active).';

grant execute on function
    app.enter(uuid, uuid, uuid, bytea, text, text, text, text),
    app.enter_by_key(uuid, uuid, bytea, text, text, text, text, text),
    app.enter_account(uuid, uuid, bytea, text, text),
    app.enter_customer(uuid, uuid, uuid, bytea, uuid, text, text, text),
    app.enter_guest(uuid, uuid, bytea, text, text, text),
    app.enter_scheduler(uuid, bytea, text)
to appointd_api;
grant execute on function app.enter_account(uuid, uuid, bytea, text, text) to appointd_door;
reset role;
revoke create on schema app from appointd_gate;
