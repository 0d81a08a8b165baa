-- Hosts and names that lead to organizations, and what a server counts for all of them. Functions that run as
-- appointd_gate.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema tenancy to appointd_gate;
set local role appointd_gate;

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

comment on function tenancy.formerly(text, text) is
    'The organization that had a slug or a subdomain within the last 90 days.';

create function tenancy.claim_domain(domain_id uuid, texts text[]) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    actor constant uuid := app.account();
    wanted record;
    holder uuid;
    kept boolean;
begin
    if app.role() is distinct from 'owner' then
        raise exception 'role too low' using errcode = 'AP403';
    end if;
    select d.domain, d.challenge into wanted
    from tenancy.domains as d
    where d.tenant_id = tenant and d.id = domain_id;
    if wanted.domain is null then
        return 'unknown';
    end if;
    -- Null, if nothing was found, is no proof.
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
        -- Deleted by a concurrent transaction.
        return 'not_verified';
    end if;
    if holder <> tenant then
        -- The present holder keeps the domain while its record is in the DNS as well, and while it may use it.
        perform app.set_tenant(holder);
        perform app.set_account(null);
        kept := app.has_feature(holder, 'custom_branding')
            and exists (select from tenancy.organizations as o where o.id = holder and o.status <> 'deleted')
            and exists (
                select from tenancy.domains as d
                where d.tenant_id = holder and d.domain = wanted.domain and d.challenge = any (texts)
            );
        if not kept then
            -- Logged as a change by the system: the holder must not learn who has the domain now.
            update tenancy.domains as d set verified_at = null where d.tenant_id = holder and d.domain = wanted.domain;
        end if;
        perform app.set_tenant(tenant);
        perform app.set_account(actor);
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
    'Gives a domain to the organization in the context, on behalf of its owner, if one of the texts found in the DNS '
    'is its challenge: `verified`; `not_verified`; `unknown`; or `taken` if the challenge of the organization that '
    'has it is found as well, and that organization is not deleted and has the feature custom_branding.';

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
            -- Another server looks those up.
            for update skip locked
        )
        returning v.domain, v.organization_id
    loop
        perform app.set_tenant(due.organization_id);
        return query
        select due.domain, due.organization_id, d.challenge
        from tenancy.domains as d
        where d.tenant_id = due.organization_id and d.domain = due.domain;
    end loop;
    perform app.set_tenant(null);
end
$$;

comment on function tenancy.domains_due(integer) is
    'Verified domains whose record was not looked up since yesterday, and its required content. Each is returned to '
    'one server and is due again a day later.';

create function tenancy.note_domain(domain text, organization_id uuid, seen boolean) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    lapsed boolean;
    changed boolean;
begin
    perform app.stay_outside();
    update tenancy.verified_domains as v
    set missing_since = case when seen then null else coalesce(v.missing_since, now()) end
    from tenancy.verified_domains as before
    where
        v.domain = note_domain.domain
        and v.organization_id = note_domain.organization_id
        and before.domain = v.domain
    returning v.missing_since <= now() - interval '7 days', v.missing_since is distinct from before.missing_since
    into lapsed, changed;
    if changed or lapsed then
        perform app.set_tenant(organization_id);
        if lapsed then
            delete from tenancy.verified_domains as v
            where v.domain = note_domain.domain and v.organization_id = note_domain.organization_id;
        end if;
        update tenancy.domains as d
        set verified_at = case when lapsed then null else d.verified_at end, updated_at = now()
        where d.tenant_id = note_domain.organization_id and d.domain = note_domain.domain;
        perform app.set_tenant(null);
    end if;
    return coalesce(lapsed, false);
end
$$;

comment on function tenancy.note_domain(text, uuid, boolean) is
    'Stores whether the record of a verified domain was found. Missing for a week, the domain is deleted: true.';

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
            (
                select o.id
                from tenancy.organizations as o
                where o.id = tenancy.formerly('subdomain', host) and o.status = 'active'
            )
        );
    end if;
    select d.organization_id into found_id
    from tenancy.verified_domains as d
    join tenancy.organizations as o on o.id = d.organization_id
    where d.domain = host and o.status = 'active';
    if found_id is null then
        return null;
    end if;
    -- Only some plans include a domain of one's own.
    perform app.set_tenant(found_id);
    if not app.has_feature(found_id, 'custom_branding') then
        found_id := null;
    end if;
    -- The organization was found, not entered.
    perform app.set_tenant(null);
    return found_id;
end
$$;

comment on function tenancy.organization_at(text) is
    'The active organization that a host name leads to: a verified domain, or a name without a dot, which is a '
    'subdomain of the server. Null: none.';

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
    'Whether an organization is served at the host of the request (app.host): at the server''s own and at those of '
    'the organization. Call it before a tenant is in the context.';

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
        -- If both are given they have to agree.
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
    perform app.set_tenant(asked);
    select trusts_origin.origin = any (s.trusted_origins) into trusted
    from tenancy.settings as s
    where s.tenant_id = asked;
    perform app.set_tenant(null);
    return coalesce(trusted, false);
end
$$;

comment on function tenancy.trusts_origin(text, uuid, text, text) is
    'Whether the organization, given by id, host or slug, lists the origin of a page as trusted.';

create function tenancy.public_face(
    in host text,
    in slug text,
    out id uuid,
    out name text,
    out organization_slug text,
    out time_zone text,
    out language text,
    out date_format text,
    out time_format text,
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
    perform app.set_tenant(wanted);
    select o.id, coalesce(b.display_name, o.name), o.slug, o.time_zone, s.language, s.date_format, s.time_format
    into id, name, organization_slug, time_zone, language, date_format, time_format
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
    'Public data of an active organization, found by host or else by slug (if both are given they have to agree): one '
    'row, all null if none is found.';

create function tenancy.allowance(organization_id uuid, key_id uuid, secret_hash bytea) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    allowed integer;
begin
    perform app.stay_outside();
    perform app.set_tenant(organization_id);
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
                where
                    k.tenant_id = organization_id
                    and k.id = key_id
                    and k.secret_hash = allowance.secret_hash
                    and k.revoked_at is null
            )
        );
    perform app.set_tenant(null);
    return allowed;
end
$$;

comment on function tenancy.allowance(uuid, uuid, bytea) is
    'requests_per_minute of the present plan of an organization. For an API key (key_id and secret_hash) null if the '
    'organization does not have the key, so that an invented key counts for no organization.';

create function tenancy.add_requests(organizations uuid[], requests bigint[]) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    counted record;
begin
    perform app.stay_outside();
    for counted in
        -- In order, so that two servers that add at the same time wait and do not deadlock.
        select u.organization_id, u.amount
        from unnest(organizations, requests) as u (organization_id, amount)
        where exists (select from tenancy.organizations as o where o.id = u.organization_id)
        order by u.organization_id
    loop
        perform app.set_tenant(counted.organization_id);
        insert into tenancy.usage_days as d (day, requests)
        values (tenancy.usage_day(), counted.amount)
        on conflict (tenant_id, day) do update set requests = d.requests + excluded.requests;
    end loop;
end
$$;

comment on function tenancy.add_requests(uuid[], bigint[]) is
    'Adds what a server has counted to today''s requests of each organization.';

grant execute on function
    tenancy.claim_domain(uuid, text[]),
    -- Each tells what every visitor may know.
    tenancy.organization_at(text),
    tenancy.trusts_origin(text, uuid, text, text),
    tenancy.public_face(text, text)
to appointd_api;
grant execute on function
    tenancy.allowance(uuid, uuid, bytea),
    tenancy.add_requests(uuid[], bigint[])
to appointd_door;
grant execute on function
    tenancy.domains_due(integer),
    tenancy.note_domain(text, uuid, boolean)
to appointd_worker;
reset role;
revoke create on schema tenancy from appointd_gate;
