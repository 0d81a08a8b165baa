-- What has to happen before, or across, tenants: functions that run as appointd_gate, which bypasses nothing and has
-- policies of its own. Where one works inside an organization it enters that organization first, like everybody, and
-- refuses to be called where one was entered before: nobody is moved from one tenant into another.

drop function identity.register(uuid, text, text, text, uuid, text, text);
drop function identity.sign_in(text);

create function app.stay_outside() returns void
language plpgsql stable
as $$
begin
    if nullif(current_setting('app.role', true), '') is not null then
        raise exception 'this transaction has entered a tenant' using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;

comment on function app.stay_outside() is 'Fails where a tenant was entered. What a function of the gate begins with that enters one itself.';
grant execute on function app.stay_outside() to appointd_gate;

grant create on schema identity, tenancy to appointd_gate;
set local role appointd_gate;
-- As for the owner's: callable by nobody until a migration says by whom.
alter default privileges revoke execute on functions from public;

-- Organizations -------------------------------------------------------------------------------------------------------

create function tenancy.found_organization(
    organization_id uuid, founder uuid, name text, slug text, subdomain text, time_zone text, plan_type text,
    disabled_features text[], exclusive_members boolean
) returns void
language plpgsql volatile
as $$
begin
    execute format('set local app.tenant_id = %L', organization_id);
    insert into tenancy.organizations (id, name, slug, subdomain, time_zone)
    values (organization_id, name, slug, subdomain, time_zone);
    insert into tenancy.subscriptions (plan_type, disabled_features) values (plan_type, disabled_features);
    insert into tenancy.settings (exclusive_members) values (exclusive_members);
    insert into tenancy.branding (display_name) values (null);
    insert into tenancy.members (account_id, role) values (founder, 'owner');
end
$$;

comment on function tenancy.found_organization(uuid, uuid, text, text, text, text, text, text[], boolean) is
    'An organization with all that every organization has, and its first owner. Part of registering and of creating one.';

-- What somebody handed out is worth at most what they may give now. Asked where it is used, and ended with its giver.

create function tenancy.standing(actor uuid) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    held text;
    maker uuid;
begin
    select m.role into held
    from tenancy.members as m
    where m.tenant_id = tenant and m.account_id = actor and m.status = 'active' and m.role <> 'customer';
    if held is not null then
        return held;
    end if;
    select k.role, k.created_by into held, maker
    from tenancy.api_keys as k
    where
        k.tenant_id = tenant
        and k.id = actor
        and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now());
    if held is null or not app.has_feature(tenant, 'api_access') then
        return null;
    end if;
    return app.lower_role(held, tenancy.standing(maker));
end
$$;

comment on function tenancy.standing(uuid) is
    'The role an account or an API key has now in the organization in the context; null if it is no active member (customers are none) or no valid key.';

create function tenancy.may_give(giver_role text, given_role text) returns boolean
language plpgsql stable
as $$
begin
    return coalesce(
        given_role = any (app.roles_up_to(giver_role))
        and giver_role = any (app.roles_from(case when given_role = 'customer' then 'staff' else 'admin' end)),
        false
    );
end
$$;

comment on function tenancy.may_give(text, text) is
    'Whether a member of one role may invite somebody to another: staff invite customers, admins and owners invite members up to their own role.';

create function tenancy.end_handed_out(tenant uuid, giver uuid) returns void
language plpgsql volatile
as $$
declare
    entered constant text := coalesce(current_setting('app.tenant_id', true), '');
begin
    execute format('set local app.tenant_id = %L', tenant);
    -- Their invitations go with the keys: see tenancy.end_invitations_of_key.
    update tenancy.api_keys as k
    set revoked_at = now()
    where k.tenant_id = tenant and k.created_by = giver and k.revoked_at is null;
    delete from tenancy.invitations as i where i.tenant_id = tenant and i.created_by = giver;
    delete from scheduling.calendar_feeds as f where f.tenant_id = tenant and f.created_by = giver;
    execute format('set local app.tenant_id = %L', entered);
end
$$;

comment on function tenancy.end_handed_out(uuid, uuid) is
    'Ends what an account handed out in an organization: revokes its API keys, and deletes its invitations, those of its keys, and its calendar feeds.';

create function tenancy.keep_handed_out_below() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant text := coalesce(current_setting('app.tenant_id', true), '');
begin
    if tg_op = 'DELETE' or new.role = 'customer' then
        perform tenancy.end_handed_out(old.tenant_id, old.account_id);
        return null;
    end if;
    execute format('set local app.tenant_id = %L', new.tenant_id);
    update tenancy.api_keys as k
    set role = new.role
    where
        k.tenant_id = new.tenant_id
        and k.created_by = new.account_id
        and k.revoked_at is null
        and not k.role = any (app.roles_up_to(new.role));
    delete from tenancy.invitations as i
    where
        i.tenant_id = new.tenant_id
        and i.created_by = new.account_id
        and not tenancy.may_give(new.role, i.role);
    delete from tenancy.invitations as i
    using tenancy.api_keys as k
    where
        i.tenant_id = new.tenant_id
        and k.tenant_id = new.tenant_id
        and k.created_by = new.account_id
        and i.created_by = k.id
        and not tenancy.may_give(k.role, i.role);
    execute format('set local app.tenant_id = %L', entered);
    return null;
end
$$;

comment on function tenancy.keep_handed_out_below() is
    'Trigger, after a member was removed or demoted: ends what they handed out, or lowers it to what they may give now.';

create function tenancy.end_invitations_of_key() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant text := coalesce(current_setting('app.tenant_id', true), '');
begin
    execute format('set local app.tenant_id = %L', new.tenant_id);
    delete from tenancy.invitations as i where i.tenant_id = new.tenant_id and i.created_by = new.id;
    delete from scheduling.calendar_feeds as f where f.tenant_id = new.tenant_id and f.created_by = new.id;
    execute format('set local app.tenant_id = %L', entered);
    return null;
end
$$;

comment on function tenancy.end_invitations_of_key() is
    'Trigger, after an API key was revoked: deletes the invitations and calendar feeds it made.';

create function tenancy.bound_elsewhere(account_id uuid, joining uuid, role text) returns boolean
language plpgsql volatile
as $$
declare
    kept constant text := nullif(current_setting('app.tenant_id', true), '');
    membership record;
    bound boolean := false;
    joining_is_exclusive boolean;
    exclusive boolean;
begin
    if role = 'customer' then
        return false;
    end if;
    -- Whoever joins two organizations at once is counted by the second.
    perform from identity.accounts as a where a.id = account_id for no key update;
    execute format('set local app.account_id = %L', account_id);
    execute format('set local app.tenant_id = %L', joining);
    select s.exclusive_members into joining_is_exclusive from tenancy.settings as s where s.tenant_id = joining;
    for membership in
        select m.tenant_id, m.role
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where
            m.account_id = bound_elsewhere.account_id
            and m.tenant_id <> joining
            and m.role <> 'customer'
            -- Who cannot get in is not bound either.
            and m.status = 'active'
            and o.status = 'active'
    loop
        execute format('set local app.tenant_id = %L', membership.tenant_id);
        select s.exclusive_members into exclusive from tenancy.settings as s where s.tenant_id = membership.tenant_id;
        bound :=
            bound
            or (exclusive and membership.role <> 'owner')
            -- One that is being founded has no settings yet.
            or (coalesce(joining_is_exclusive, false) and role <> 'owner');
    end loop;
    execute format('set local app.tenant_id = %L', coalesce(kept, ''));
    return bound;
end
$$;

comment on function tenancy.bound_elsewhere(uuid, uuid, text) is
    'Whether exclusive_members of an organization the account belongs to, or of the one it is about to join, forbids joining. Leaves the account in the context.';

create function identity.register(
    account_id uuid, email text, password_hash text, full_name text, organization_id uuid, organization_name text,
    organization_slug text, time_zone text
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    execute format('set local app.account_id = %L', account_id);
    insert into identity.accounts (id, email, password_hash, full_name)
    values (account_id, email, password_hash, full_name);
    perform tenancy.found_organization(
        organization_id, account_id, organization_name, organization_slug, null, time_zone, 'basic', '{}', true
    );
end
$$;

comment on function identity.register(uuid, text, text, text, uuid, text, text, text) is
    'Creates an account, an organization with the smallest plan and the membership that makes the account its owner, all or '
    'nothing. A taken e-mail address or slug fails with 23505 on accounts_email_key or organizations_slug_key.';

create function tenancy.create_organization(
    organization_id uuid, name text, slug text, subdomain text, time_zone text, plan_type text, disabled_features text[]
) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    founder constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
begin
    perform app.stay_outside();
    if founder is null then
        raise exception 'nobody has signed in' using errcode = 'AP401';
    end if;
    if tenancy.bound_elsewhere(founder, organization_id, 'owner') then
        return 'bound_elsewhere';
    end if;
    perform tenancy.found_organization(
        organization_id, founder, name, slug, subdomain, time_zone, plan_type, disabled_features, false
    );
    return 'created';
end
$$;

comment on function tenancy.create_organization(uuid, text, text, text, text, text, text[]) is
    'A new organization of the account in the context (see app.enter_account): `created`, or `bound_elsewhere` where an '
    'organization it works for keeps its members to itself. Fails with 23505 on organizations_slug_key or organizations_subdomain_key.';

create function tenancy.delete_organization(grace interval) returns timestamptz
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    until timestamptz;
begin
    if current_setting('app.role', true) is distinct from 'owner' then
        raise exception 'role too low' using errcode = 'AP403';
    end if;
    update tenancy.organizations as o
    set status = 'deleted', deleted_at = now(), purge_after = now() + grace
    where o.id = current_setting('app.tenant_id')::uuid
    returning o.purge_after into until;
    return until;
end
$$;

comment on function tenancy.delete_organization(interval) is
    'Deletes the organization in the context, whose owner must be the one in the context: nobody gets in any more, and after the grace its rows may be purged.';

create function tenancy.restore_organization(organization_id uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    if not exists (
        select
        from tenancy.members as m
        where
            m.tenant_id = organization_id
            and m.account_id = nullif(current_setting('app.account_id', true), '')::uuid
            and m.role = 'owner'
            and m.status = 'active'
    ) then
        return false;
    end if;
    execute format('set local app.tenant_id = %L', organization_id);
    update tenancy.organizations as o
    set status = 'active', deleted_at = null, purge_after = null
    where o.id = organization_id and o.status = 'deleted' and o.purge_after > now();
    return found;
end
$$;

comment on function tenancy.restore_organization(uuid) is
    'Takes back the deletion of an organization of which the account in the context is an owner; false where there is none to take back.';

create function tenancy.leave_organization(organization_id uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    execute format('set local app.tenant_id = %L', organization_id);
    delete from tenancy.members as m
    where m.tenant_id = organization_id and m.account_id = nullif(current_setting('app.account_id', true), '')::uuid;
    return found;
end
$$;

comment on function tenancy.leave_organization(uuid) is
    'Ends the membership of the account in the context, whatever its role; false where there is none. Fails with 23514 on members_last_owner.';

create function tenancy.formerly(kind text, name text) returns uuid
language plpgsql stable
as $$
begin
    return (
        select f.organization_id
        from tenancy.former_names as f
        where f.kind = formerly.kind and f.name = formerly.name and f.kept_until > now()
    );
end
$$;

comment on function tenancy.formerly(text, text) is 'The organization that had a slug or a subdomain until a while ago.';

create function tenancy.claim_domain(domain_id uuid, texts text[]) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    actor constant text := coalesce(current_setting('app.account_id', true), '');
    wanted record;
    holder uuid;
    kept boolean;
begin
    if current_setting('app.role', true) is distinct from 'owner' then
        raise exception 'role too low' using errcode = 'AP403';
    end if;
    select d.domain, d.challenge into wanted
    from tenancy.domains as d
    where d.tenant_id = tenant and d.id = domain_id;
    if wanted.domain is null then
        return 'unknown';
    end if;
    -- Nothing found is no proof either.
    if (wanted.challenge = any (texts)) is not true then
        return 'not_verified';
    end if;
    insert into tenancy.verified_domains (domain)
    values (wanted.domain)
    on conflict on constraint verified_domains_pkey do nothing;
    select v.organization_id into holder
    from tenancy.verified_domains as v
    where v.domain = wanted.domain
    for update;
    if holder is null then
        -- Given up at this very moment.
        return 'not_verified';
    end if;
    if holder <> tenant then
        -- The former holder keeps it while its record stands beside, and while it could use it.
        execute format('set local app.tenant_id = %L', holder);
        execute format('set local app.account_id = %L', '');
        kept := app.has_feature(holder, 'custom_branding')
            and exists (select from tenancy.organizations as o where o.id = holder and o.status <> 'deleted')
            and exists (
                select from tenancy.domains as d
                where d.tenant_id = holder and d.domain = wanted.domain and d.challenge = any (texts)
            );
        if not kept then
            -- In its log it was the system: who has the domain now is nobody they know.
            update tenancy.domains as d set verified_at = null where d.tenant_id = holder and d.domain = wanted.domain;
        end if;
        execute format('set local app.tenant_id = %L', tenant);
        execute format('set local app.account_id = %L', actor);
        if kept then
            return 'taken';
        end if;
    end if;
    update tenancy.verified_domains as v
    set organization_id = tenant, checked_at = now(), missing_since = null
    where v.domain = wanted.domain;
    update tenancy.domains as d set verified_at = now() where d.tenant_id = tenant and d.id = domain_id;
    return 'verified';
end
$$;

comment on function tenancy.claim_domain(uuid, text[]) is
    'Gives a domain to the organization in the context, whose owner asks, if one of the texts found in the DNS is its challenge: `verified`; `not_verified`; `unknown`; '
    'or `taken` if the challenge of the organization that has it stands there as well, and that organization is neither deleted nor without custom_branding.';

create function tenancy.domains_due(most integer)
returns table (domain text, organization_id uuid, challenge text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    due record;
begin
    perform app.stay_outside();
    for due in
        update tenancy.verified_domains as v
        set checked_at = now()
        where v.domain in (
            select c.domain
            from tenancy.verified_domains as c
            where c.checked_at < now() - interval '1 day'
            order by c.checked_at
            limit most
            -- Another server asks about those.
            for update skip locked
        )
        returning v.domain, v.organization_id
    loop
        execute format('set local app.tenant_id = %L', due.organization_id);
        return query
        select due.domain, due.organization_id, d.challenge
        from tenancy.domains as d
        where d.tenant_id = due.organization_id and d.domain = due.domain;
    end loop;
    execute format('set local app.tenant_id = %L', '');
end
$$;

comment on function tenancy.domains_due(integer) is
    'Verified domains whose record was not asked for since yesterday, and what the record has to say. Each is returned to one server and is due again a day later.';

create function tenancy.note_domain(domain text, organization_id uuid, seen boolean) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    lapsed boolean;
begin
    perform app.stay_outside();
    update tenancy.verified_domains as v
    set missing_since = case when seen then null else coalesce(v.missing_since, now()) end
    where v.domain = note_domain.domain and v.organization_id = note_domain.organization_id
    returning v.missing_since <= now() - interval '7 days' into lapsed;
    if lapsed then
        execute format('set local app.tenant_id = %L', organization_id);
        delete from tenancy.verified_domains as v
        where v.domain = note_domain.domain and v.organization_id = note_domain.organization_id;
        update tenancy.domains as d
        set verified_at = null
        where d.tenant_id = note_domain.organization_id and d.domain = note_domain.domain;
        execute format('set local app.tenant_id = %L', '');
    end if;
    return coalesce(lapsed, false);
end
$$;

comment on function tenancy.note_domain(text, uuid, boolean) is
    'Notes whether the record of a verified domain was found. Missing for a week, it leads nowhere any more: true.';

create function tenancy.organization_at(host text) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    found_id uuid;
begin
    perform app.stay_outside();
    if position('.' in host) = 0 then
        return coalesce(
            (select o.id from tenancy.organizations as o where o.subdomain = host and o.status = 'active'),
            (select o.id from tenancy.organizations as o where o.id = tenancy.formerly('subdomain', host) and o.status = 'active')
        );
    end if;
    select d.organization_id into found_id
    from tenancy.verified_domains as d
    join tenancy.organizations as o on o.id = d.organization_id
    where d.domain = host and o.status = 'active';
    if found_id is null then
        return null;
    end if;
    -- A domain of its own is something only some plans have.
    execute format('set local app.tenant_id = %L', found_id);
    if not app.has_feature(found_id, 'custom_branding') then
        found_id := null;
    end if;
    -- Found, not entered.
    set local app.tenant_id = '';
    return found_id;
end
$$;

comment on function tenancy.organization_at(text) is
    'The active organization a host name leads to: a verified domain, or a name without a dot as a subdomain of ours. Null: none.';

create function tenancy.trusts_origin(origin text, organization uuid, host text, slug text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    asked uuid := organization;
    trusted boolean;
begin
    perform app.stay_outside();
    if host is not null then
        -- Where both are said they have to agree.
        asked := tenancy.organization_at(host);
        if organization is not null and organization is distinct from asked then
            return false;
        end if;
    elsif asked is null then
        select o.id into asked from tenancy.organizations as o where o.slug = trusts_origin.slug;
    end if;
    if asked is null then
        return false;
    end if;
    execute format('set local app.tenant_id = %L', asked);
    select trusts_origin.origin = any (s.trusted_origins) into trusted from tenancy.settings as s where s.tenant_id = asked;
    set local app.tenant_id = '';
    return coalesce(trusted, false);
end
$$;

comment on function tenancy.trusts_origin(text, uuid, text, text) is
    'Whether the organization that is asked, by id, host or slug, lists the origin of a page among those it trusts.';


create function tenancy.host_admits(organization uuid) returns boolean
language plpgsql volatile
as $$
declare
    host constant text := nullif(current_setting('app.host', true), '');
begin
    return host is null or organization is null or tenancy.organization_at(host) is not distinct from organization;
end
$$;

comment on function tenancy.host_admits(uuid) is
    'Whether something of an organization is found at the host that was asked (app.host): at ours and at its own. To be asked before a tenant is in the context.';


create function tenancy.public_face(
    in host text,
    in slug text,
    out id uuid,
    out name text,
    out organization_slug text,
    out time_zone text,
    out language text,
    out logo_url text,
    out favicon_url text,
    out primary_color text,
    out secondary_color text,
    out style_sheet_url text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    by_slug constant uuid := coalesce(
        (select o.id from tenancy.organizations as o where o.slug = public_face.slug),
        tenancy.formerly('slug', public_face.slug)
    );
    wanted constant uuid := case when host is not null then tenancy.organization_at(host) else by_slug end;
begin
    perform app.stay_outside();
    execute format('set local app.tenant_id = %L', coalesce(wanted::text, ''));
    select o.id, coalesce(b.display_name, o.name), o.slug, o.time_zone, s.language
    into id, name, organization_slug, time_zone, language
    from tenancy.organizations as o
    join tenancy.settings as s on s.tenant_id = o.id
    join tenancy.branding as b on b.tenant_id = o.id
    where o.id = wanted and o.status = 'active' and (public_face.slug is null or o.id = by_slug);
    if id is not null then
        select b.logo_url into logo_url from tenancy.branding as b where b.tenant_id = wanted;
    end if;
    if id is not null and app.has_feature(wanted, 'custom_branding') then
        select b.favicon_url, b.primary_color, b.secondary_color, b.style_sheet_url
        into favicon_url, primary_color, secondary_color, style_sheet_url
        from tenancy.branding as b
        where b.tenant_id = wanted;
    end if;
end
$$;

comment on function tenancy.public_face(text, text) is
    'What anybody may know of an active organization, found by host or else by slug (where both are given they have to agree): one row, all null where there is none.';

create function tenancy.add_requests(organizations uuid[], requests bigint[]) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    counted record;
begin
    perform app.stay_outside();
    for counted in
        -- In order, so that two servers that add at once wait and do not deadlock.
        select u.organization_id, u.amount
        from unnest(organizations, requests) as u (organization_id, amount)
        where exists (select from tenancy.organizations as o where o.id = u.organization_id)
        order by u.organization_id
    loop
        execute format('set local app.tenant_id = %L', counted.organization_id);
        insert into tenancy.usage_days as d (day, requests)
        values ((now() at time zone 'UTC')::date, counted.amount)
        on conflict (tenant_id, day) do update set requests = d.requests + excluded.requests;
    end loop;
end
$$;

comment on function tenancy.add_requests(uuid[], bigint[]) is 'Adds what a server has counted to today''s requests of each organization.';


-- Signing in ----------------------------------------------------------------------------------------------------------

create function identity.memberships_of(account_id uuid) returns jsonb
language plpgsql volatile
as $$
begin
    execute format('set local app.account_id = %L', account_id);
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

comment on function identity.memberships_of(uuid) is 'The organizations an account belongs to, the one joined first in front, as JSON.';

create function identity.my_memberships() returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
begin
    if account is null then
        raise exception 'nobody has signed in' using errcode = 'AP401';
    end if;
    return identity.memberships_of(account);
end
$$;

comment on function identity.my_memberships() is 'identity.memberships_of for the account in the context.';

create function identity.subscriber(address inet) returns bytea
language sql immutable parallel safe
-- Who has one address of IPv6 has a whole /64.
return sha256(convert_to(text(case when family(address) = 6 then network(set_masklen(address, 64)) else address end), 'UTF8'));

comment on function identity.subscriber(inet) is 'What attempts from an address are counted by.';

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
    'After how many seconds an attempt may be made; 0: now. Holds the row, so that of many attempts at once each is counted.';

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
        -- This one may still be tried; the next has to wait, twice as long each time.
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
    'Counts an attempt as failed until it is taken back (identity.start_session). After free_attempts in a row each further '
    'one doubles the wait, up to `longest`; `remembered` without attempts forgets all. Counting before the secret '
    'is looked at leaves no gap for many attempts at once. Follows identity.wait_for.';

create function identity.code_attempt(account_id uuid) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- A signed-in account tries its own codes.
    account constant uuid := coalesce(nullif(current_setting('app.account_id', true), '')::uuid, account_id);
    subject constant bytea := sha256(convert_to(account::text, 'UTF8'));
    retry_after integer;
begin
    if not exists (select from identity.second_factors as f where f.account_id = account) then
        return 0;
    end if;
    retry_after := identity.wait_for('second_factor', subject);
    if retry_after = 0 then
        -- Six digits, three of which are good at a time: some 40 guesses a day find one in 20 years.
        perform identity.count_attempt('second_factor', subject, 10, interval '1 hour', interval '1 day');
    end if;
    return retry_after;
end
$$;

comment on function identity.code_attempt(uuid) is
    'Counts an attempt at a code of a second factor, wherever it is asked for: of the account in the context, or before one has signed in of this one, whose password was right. '
    'Seconds to wait; 0: the code may be looked at. Only a right code takes the count back (identity.code_given, identity.start_session): a right password does not.';

create function identity.code_given() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from identity.sign_in_failures as f
    where f.bucket = 'second_factor' and f.subject = sha256(convert_to(current_setting('app.account_id', true), 'UTF8'));
end
$$;

comment on function identity.code_given() is 'Takes back what identity.code_attempt counted for the account in the context: the code was right.';

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

    -- Guessing one account's password from one place is slowed down most; trying an account from everywhere at once is
    -- slowed down by a minute at most, since that hits its owner too.
    -- Where one says to wait nothing is counted, so that nobody keeps somebody else out by trying on and on.
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
    'What the server needs to check a password: always one row, account_id null where nobody has that e-mail address. '
    'retry_after > 0: too many attempts, try again after so many seconds. See identity.count_attempt.';

create function identity.start_session(
    in account_id uuid,
    in session_id uuid,
    in organization_id uuid,
    in kind text,
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
    -- Looking at a password takes a while. Whoever changed it meanwhile waits here for this session and ends it, or this
    -- finds another password and begins none.
    select sha256(convert_to(a.email, 'UTF8')) into by_email
    from identity.accounts as a
    where a.id = start_session.account_id and (verified_hash is null or a.password_hash = verified_hash)
    for no key update;
    if by_email is null then
        outcome := 'password_changed';
        return;
    end if;
    if verified_hash is not null and totp_step is null and recovery_hash is null and exists (
        select from identity.second_factors as f where f.account_id = start_session.account_id and f.confirmed_at is not null
    ) then
        outcome := 'code_invalid';
        return;
    end if;
    -- A code is good once, also for two who send it at the same time.
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
    insert into identity.sessions (account_id, id, organization_id, kind, user_agent, address, expires_at)
    values (account_id, session_id, organization_id, kind, left(user_agent, 300), address, now() + lifetime);
    if refresh_hash is not null then
        insert into identity.refresh_tokens (account_id, session_id, hash, expires_at)
        values (account_id, session_id, refresh_hash, now() + interval '30 days');
    end if;

    if new_password_hash is not null then
        update identity.accounts as a set password_hash = new_password_hash where a.id = start_session.account_id;
    end if;
    -- In the order in which identity.sign_in takes them.
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

comment on function identity.start_session(uuid, uuid, uuid, text, bytea, interval, text, inet, text, text, bigint, bytea) is
    'Starts a session of an account that has shown who it is: `started`; `password_changed` where verified_hash, the one the '
    'password was compared with, is not that of the account any more; `code_invalid` where a code is due or was used before. '
    'Takes back what identity.sign_in counted. new_password_hash: the same password, hashed as it is hashed today.';

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
    -- Two tabs that refresh at once, or an answer that was lost.
    leeway constant interval := interval '10 seconds';
    token identity.refresh_tokens;
begin
    perform app.stay_outside();
    execute format('set local app.account_id = %L', account_id);
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
    -- At the host of another organization it is not known, and stays good.
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
        -- What nobody is answered with any more goes: with it and an old token the present one could be computed.
        update identity.refresh_tokens as t
        set salt = null, successor = null
        where
            t.account_id = refresh_session.account_id
            and t.session_id = refresh_session.session_id
            and t.used_at < now() - leeway
            and t.salt is not null;
        -- One that was retired by switching stays used since then.
        update identity.refresh_tokens as t
        set used_at = coalesce(t.used_at, now()), salt = new_salt, successor = new_hash
        where t.account_id = refresh_session.account_id and t.session_id = refresh_session.session_id and t.hash = old_hash;
        insert into identity.refresh_tokens (account_id, session_id, hash, expires_at)
        values (account_id, session_id, new_hash, now() + interval '30 days');
        salt := new_salt;
        outcome := 'refreshed';
    end if;
    -- For an organization that does not let them in any more the tokens are for none.
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
    'Exchanges a refresh token for its successor: `refreshed`, the successor being SHA-256 of the token and `salt`, which is new_salt the first time and for ten seconds stays the same; '
    '`followed` if that successor was used as well: compute it and ask with it; `unknown` if there is no such token; `reused` if it '
    'was used before that: somebody has a copy, and the session has ended for both (RFC 9700 section 4.14.2).';

create function tenancy.allowance(organization_id uuid, key_id uuid, secret_hash bytea) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    allowed integer;
begin
    perform app.stay_outside();
    execute format('set local app.tenant_id = %L', organization_id);
    select p.requests_per_minute into allowed
    from tenancy.subscriptions as s
    join tenancy.plans as p on p.plan_type = s.plan_type
    where
        s.tenant_id = organization_id
        and (
            key_id is null
            or exists (
                select
                from tenancy.api_keys as k
                where k.tenant_id = organization_id and k.id = key_id and k.secret_hash = allowance.secret_hash and k.revoked_at is null
            )
        );
    execute format('set local app.tenant_id = %L', '');
    return allowed;
end
$$;

comment on function tenancy.allowance(uuid, uuid, bytea) is
    'requests_per_minute of the plan an organization has now; for an API key (key_id and secret_hash) null if the organization has no such key, so that a made-up one counts for nobody.';

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
    account constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
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
    'Moves the session of the account in the context to another organization it is an active member of, with a new refresh token; the tokens of before are retired, and followed for ten seconds (identity.refresh_session).';

create function identity.password_of_account(out retry_after integer, out password_hash text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
    subject constant bytea := sha256(convert_to('again ' || account, 'UTF8'));
begin
    -- Who has a token and no password must not be able to guess it here.
    retry_after := identity.wait_for('account', subject);
    if retry_after > 0 then
        return;
    end if;
    perform identity.count_attempt('account', subject, 10, interval '15 minutes');
    select a.password_hash into password_hash from identity.accounts as a where a.id = account;
end
$$;

comment on function identity.password_of_account() is
    'The hash of the password of the account in the context, which has to be given again before it is changed. Attempts are '
    'counted: retry_after > 0: too many, try again after so many seconds. identity.password_given takes that back.';

create function identity.password_given() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from identity.sign_in_failures as f
    where f.bucket = 'account' and f.subject = sha256(convert_to('again ' || current_setting('app.account_id'), 'UTF8'));
end
$$;

comment on function identity.password_given() is 'Takes back what identity.password_of_account counted: the password was right.';

create function identity.change_password(kept_session uuid, new_password_hash text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
begin
    update identity.accounts as a set password_hash = new_password_hash, updated_at = now() where a.id = account;
    delete from identity.sessions as s where s.account_id = account and s.id <> kept_session;
    delete from identity.one_time_tokens as t where t.account_id = account and t.purpose = 'reset_password';
end
$$;

comment on function identity.change_password(uuid, text) is 'A new password for the account in the context. All its sessions but one end.';

create function identity.request_password_reset(in email text, in token_hash bytea, in lifetime interval, out token_account uuid)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    select a.id into token_account from identity.accounts as a where a.email = request_password_reset.email;
    if token_account is null then
        return;
    end if;
    delete from identity.one_time_tokens as t where t.account_id = token_account and t.expires_at < now();
    -- Nobody's mailbox is filled by somebody who knows the address.
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

comment on function identity.request_password_reset(text, bytea, interval) is
    'A token to set a new password, for the account with this e-mail address; null where there is none, or where three were sent within the hour.';

create function identity.token_email(account_id uuid, token_hash bytea) returns text
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

comment on function identity.token_email(uuid, bytea) is 'The address a one-time token was sent to; null where it is not good (any more).';

create function identity.end_unproved(account uuid, kept_session uuid) returns void
language plpgsql volatile
as $$
declare
    entered constant text := coalesce(current_setting('app.tenant_id', true), '');
    signed_in constant text := coalesce(current_setting('app.account_id', true), '');
    membership record;
begin
    delete from identity.second_factors as f where f.account_id = account;
    delete from identity.sessions as s where s.account_id = account and s.id is distinct from kept_session;
    delete from identity.one_time_tokens as t where t.account_id = account;
    execute format('set local app.account_id = %L', account);
    for membership in select m.tenant_id from tenancy.members as m where m.account_id = account loop
        perform tenancy.end_handed_out(membership.tenant_id, account);
    end loop;
    execute format('set local app.account_id = %L', signed_in);
    execute format('set local app.tenant_id = %L', entered);
end
$$;

comment on function identity.end_unproved(uuid, uuid) is
    'The first proof that a person reads mail at the address of an account ends what was set up before it, since it may have been somebody else: second factor, sessions (but one), tokens sent, and what the account handed out in its organizations.';

create function identity.reset_password(account_id uuid, token_hash bytea, new_password_hash text, address inet) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    sent_to text;
begin
    -- Two who prove at once wait for each other here.
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
        email_verified_at = case when a.email = sent_to then coalesce(a.email_verified_at, now()) else a.email_verified_at end
    where a.id = reset_password.account_id;
    delete from identity.sessions as s where s.account_id = reset_password.account_id;
    delete from identity.one_time_tokens as t where t.account_id = reset_password.account_id and t.purpose = 'reset_password';
    -- Whoever was locked out because others tried is not any more.
    delete from identity.sign_in_failures as f
    where
        f.bucket = 'account_and_address'
        and f.subject = sha256(sha256(convert_to(sent_to, 'UTF8')) || identity.subscriber(address));
    delete from identity.sign_in_failures as f where f.bucket = 'account' and f.subject = sha256(convert_to(sent_to, 'UTF8'));
    return true;
end
$$;

comment on function identity.reset_password(uuid, bytea, text, inet) is
    'Sets a new password by a token sent by e-mail, which is used up; ends every session of the account, and if its address was not verified before all that was set up (identity.end_unproved). False if the token is not valid.';

create function identity.verify_email(kept_session uuid, token_hash bytea) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account constant uuid := nullif(current_setting('app.account_id', true), '')::uuid;
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

comment on function identity.verify_email(uuid, bytea) is
    'Marks the address of the account in the context as verified, by a token sent to it, which is used up. The first time it ends what was set up before (identity.end_unproved), but for the session that asks. '
    'Asks for both, the session and the token: a link opened by the owner of the address must not verify the account of somebody else who registered it. False if the token is not valid.';


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
    -- One used that long ago is found by nobody any more; whoever still has it is told that it is not known.
    delete from identity.refresh_tokens as t where t.expires_at < now();
    get diagnostics here = row_count;
    purged := purged + here;
    delete from identity.sign_in_failures as f where f.last_attempt_at < now() - interval '1 day' and f.blocked_until < now();
    get diagnostics here = row_count;
    purged := purged + here;
    -- A budget that was not touched for so long is full again.
    delete from messaging.mail_budgets as b where b.counted_at < now() - interval '2 days';
    get diagnostics here = row_count;
    return purged + here;
end
$$;

comment on function identity.purge_expired() is 'Deletes sessions, tokens and counts of attempts that are over; how many. Called by `appointd tenant purge`.';
grant execute on function identity.purge_expired() to appointd_owner;


-- Invitations ---------------------------------------------------------------------------------------------------------

create function tenancy.invitation_for(
    in organization_id uuid,
    in invitation_id uuid,
    in token_hash bytea,
    out email text,
    out role text,
    out organization_name text,
    out account_id uuid
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return;
    end if;
    execute format('set local app.tenant_id = %L', organization_id);
    select i.email, i.role, o.name, a.id
    into email, role, organization_name, account_id
    from tenancy.invitations as i
    join tenancy.organizations as o on o.id = i.tenant_id
    left join identity.accounts as a on a.email = i.email
    where
        i.tenant_id = organization_id
        and i.id = invitation_id
        and i.token_hash = invitation_for.token_hash
        and i.expires_at > now()
        and tenancy.may_give(tenancy.standing(i.created_by), i.role)
        and o.status = 'active';
end
$$;

comment on function tenancy.invitation_for(uuid, uuid, bytea) is
    'What an invitation offers, to whoever holds its token: one row, all null if it is not valid or its giver could not give it now. account_id: the account of the invited address, if any.';

create function tenancy.accept_invitation(
    organization_id uuid, invitation_id uuid, token_hash bytea, joining_account uuid, full_name text, password_hash text
) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    invitation tenancy.invitations;
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return 'unknown';
    end if;
    execute format('set local app.tenant_id = %L', organization_id);
    execute format('set local app.account_id = %L', joining_account);
    -- Taken out first: of two who accept at once, one finds it.
    delete from tenancy.invitations as i
    where
        i.tenant_id = organization_id
        and i.id = invitation_id
        and i.token_hash = accept_invitation.token_hash
        and i.expires_at > now()
        and tenancy.may_give(tenancy.standing(i.created_by), i.role)
        and exists (select from tenancy.organizations as o where o.id = i.tenant_id and o.status = 'active')
    returning i.* into invitation;
    if invitation.id is null then
        return 'unknown';
    end if;
    if password_hash is not null then
        -- The mail arrived, or there would be no token.
        insert into identity.accounts (id, email, password_hash, full_name, email_verified_at)
        values (joining_account, invitation.email, password_hash, full_name, now());
    elsif not exists (
        select from identity.accounts as a where a.id = joining_account and a.email = invitation.email
    ) then
        raise exception 'for somebody else' using errcode = 'check_violation', constraint = 'invitation_address';
    end if;
    if tenancy.bound_elsewhere(joining_account, organization_id, invitation.role) then
        raise exception 'bound elsewhere' using errcode = 'check_violation', constraint = 'exclusive_members';
    end if;
    if invitation.contact_id is not null then
        update crm.contacts as c
        set account_id = joining_account, updated_at = now()
        where
            c.tenant_id = organization_id
            and c.id = invitation.contact_id
            and (c.account_id is null or c.account_id = joining_account);
        if not found then
            raise exception 'the contact is somebody else' using errcode = 'check_violation', constraint = 'contact_account';
        end if;
    end if;
    -- Who works there already and is invited as a customer stays what they are.
    insert into tenancy.members (account_id, role)
    values (joining_account, invitation.role)
    on conflict (tenant_id, account_id) do update
    set role = excluded.role, status = 'active', updated_at = now()
    where members.role = 'customer' and excluded.role <> 'customer';
    return 'joined';
end
$$;

comment on function tenancy.accept_invitation(uuid, uuid, bytea, uuid, text, text) is
    'Makes an account a member, by the token of an invitation, which is used up: `joined` (or was a member already, who stays what they are), or `unknown` if it is not valid or its giver '
    'could not give it now. With a password hash the account is created. Fails with 23514 on invitation_address (the account has another e-mail '
    'address), exclusive_members, contact_account (the contact is somebody else''s) or plan_limit_members, with 23505 on accounts_email_key.';

grant execute on function
    identity.register(uuid, text, text, text, uuid, text, text, text),
    identity.my_memberships(),
    identity.sign_in(text, inet),
    identity.start_session(uuid, uuid, uuid, text, bytea, interval, text, inet, text, text, bigint, bytea),
    identity.code_attempt(uuid),
    identity.code_given(),
    identity.refresh_session(uuid, uuid, bytea, bytea, bytea),
    identity.move_session(uuid, uuid, bytea),
    identity.password_of_account(),
    identity.password_given(),
    identity.change_password(uuid, text),
    identity.request_password_reset(text, bytea, interval),
    identity.token_email(uuid, bytea),
    identity.reset_password(uuid, bytea, text, inet),
    identity.verify_email(uuid, bytea),
    tenancy.create_organization(uuid, text, text, text, text, text, text[]),
    tenancy.delete_organization(interval),
    tenancy.restore_organization(uuid),
    tenancy.leave_organization(uuid),
    tenancy.claim_domain(uuid, text[]),
    tenancy.domains_due(integer),
    tenancy.note_domain(text, uuid, boolean),
    tenancy.organization_at(text),
    tenancy.trusts_origin(text, uuid, text, text),
    tenancy.public_face(text, text),
    tenancy.add_requests(uuid[], bigint[]),
    tenancy.invitation_for(uuid, uuid, bytea),
    tenancy.accept_invitation(uuid, uuid, bytea, uuid, text, text),
    tenancy.allowance(uuid, uuid, bytea),
    tenancy.standing(uuid)
to appointd_api;
-- Who makes a trigger has to be allowed to call its function.
grant execute on function tenancy.keep_handed_out_below(), tenancy.end_invitations_of_key() to appointd_owner;
reset role;

create trigger keep_handed_out_below_delete after delete on tenancy.members
for each row execute function tenancy.keep_handed_out_below();
create trigger keep_handed_out_below_update after update of role on tenancy.members
for each row when (new.role <> old.role and not old.role = any (app.roles_up_to(new.role)))
execute function tenancy.keep_handed_out_below();
create trigger end_invitations_of_key after update of revoked_at on tenancy.api_keys
for each row when (old.revoked_at is null and new.revoked_at is not null)
execute function tenancy.end_invitations_of_key();

-- The triggers look across what their caller may see.
alter function tenancy.keep_within_plan() owner to appointd_gate;
alter function tenancy.keep_within_new_plan() owner to appointd_gate;
alter function tenancy.keep_an_owner() owner to appointd_gate;
revoke create on schema identity, tenancy from appointd_gate;

-- A customer who now works there.
create policy gate_tenant_update on tenancy.members as permissive for update to appointd_gate
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
grant update (role, status, updated_at), delete on tenancy.members to appointd_gate;
-- One who leaves.
create policy gate_tenant_delete on tenancy.members as permissive for delete to appointd_gate
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
grant execute on function app.roles_from(text), app.has_feature(uuid, text) to appointd_gate;
grant usage on schema app to appointd_gate;
