-- Operating one tenant: exporting, importing and deleting it, by `appointd tenant` as appointd_owner. The owner enters
-- the tenant as every other role does (app.set_tenant) and passes the same floor, so that what it does to one
-- tenant it does to no other. The tables are read from the catalog: a new one is exported, imported and deleted from
-- the day it exists.

create function app.tenant_tables() returns table (relation regclass, tenant_column name)
language plpgsql stable
as $$
begin
    return query
    with recursive tables as (
        select
            c.oid,
            coalesce(
                (
                    select a.attname
                    from pg_catalog.pg_attribute as a
                    where a.attrelid = c.oid and a.attname = 'tenant_id'
                ),
                -- Global tables with rows of an organization, and the organizations themselves.
                (
                    select a.attname
                    from pg_catalog.pg_constraint as f
                    join pg_catalog.pg_attribute as a on a.attrelid = f.conrelid and a.attnum = f.conkey[1]
                    where f.conrelid = c.oid and f.contype = 'f' and f.confrelid = 'tenancy.organizations'::regclass
                ),
                case when c.oid = 'tenancy.organizations'::regclass then 'id' end
            ) as tenant_column
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^(pg_|information_schema)'
    ),
    depths as (
        select t.oid, 0 as depth
        from tables as t
        where t.tenant_column is not null
        union all
        select f.conrelid, d.depth + 1
        from depths as d
        join pg_catalog.pg_constraint as f on f.confrelid = d.oid and f.contype = 'f' and f.conrelid <> f.confrelid
    )
    select t.oid::regclass, t.tenant_column
    from tables as t
    join depths as d on d.oid = t.oid
    where t.tenant_column is not null
    group by t.oid, t.tenant_column
    order by t.oid <> 'tenancy.organizations'::regclass, max(d.depth), t.oid::regclass::text;
end
$$;

comment on function app.tenant_tables() is
    'Every table with rows of tenants and its tenant column, referenced tables before those that refer to them.';

create function app.export_tenant(tenant uuid) returns setof jsonb
language plpgsql volatile
as $$
declare
    tenant_table record;
    reference record;
    people uuid[] := '{}';
    found_people uuid[];
begin
    perform app.set_tenant(tenant);
    for reference in
        select f.conrelid::regclass as relation, t.tenant_column, a.attname
        from pg_catalog.pg_constraint as f
        join app.tenant_tables() as t on t.relation = f.conrelid
        join pg_catalog.pg_attribute as a on a.attrelid = f.conrelid and a.attnum = f.conkey[1]
        where f.contype = 'f' and f.confrelid = 'identity.accounts'::regclass
    loop
        execute format(
            'select array_agg(distinct %I) from %s where %I = $1 and %I is not null',
            reference.attname, reference.relation, reference.tenant_column, reference.attname
        )
        into found_people
        using tenant;
        people := people || coalesce(found_people, '{}');
    end loop;
    return query
    select jsonb_build_object('relation', 'identity.accounts', 'row', to_jsonb(a))
    from identity.accounts as a
    where a.id = any (people)
    order by a.id;

    for tenant_table in select * from app.tenant_tables() loop
        return query execute format(
            'select jsonb_build_object(''relation'', %L, ''row'', to_jsonb(t)) from %s as t where t.%I = $1',
            tenant_table.relation, tenant_table.relation, tenant_table.tenant_column
        )
        using tenant;
    end loop;
end
$$;

comment on function app.export_tenant(uuid) is
    'Every row of a tenant and the accounts of its people, with their password hashes, as {relation, row}, in an '
    'order in which they can be imported.';

create function app.columns_of(target regclass, given jsonb) returns text
language plpgsql stable
as $$
begin
    return (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_catalog.pg_attribute as a
        where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and given ? a.attname
    );
end
$$;

comment on function app.columns_of(regclass, jsonb) is
    'The columns of a table that a row has, without generated ones, as a list for insert. Null: none.';

create function app.target_table(wanted text) returns regclass
language plpgsql stable
as $$
declare
    target constant regclass := to_regclass(wanted);
begin
    if target is null
    or (
        target <> 'identity.accounts'::regclass
        and not exists (select from app.tenant_tables() as t where t.relation = target)
    ) then
        raise exception 'table % does not exist; nothing can be imported into it', wanted;
    end if;
    return target;
end
$$;

comment on function app.target_table(text) is
    'The table with this name, if it has rows of tenants or accounts; fails otherwise.';

-- Many rows at a time: the look-ups in the catalog cost more than inserting a hundred rows.
create function app.import_rows(tenant uuid, wanted text, lines jsonb) returns bigint
language plpgsql volatile
as $$
declare
    target constant regclass := app.target_table(wanted);
    columns constant text := app.columns_of(target, lines -> 0);
    imported bigint;
    elsewhere text;
begin
    perform app.set_tenant(tenant);
    -- An imported tenant brings its own log; see operations.record_change.
    set local app.restoring = 'on';
    if columns is null then
        raise exception 'a row of % without any column of it', target;
    end if;
    if target = 'identity.accounts'::regclass then
        select a.email into elsewhere
        from jsonb_to_recordset(lines) as l (id uuid, email text)
        join identity.accounts as a on a.email = l.email and a.id <> l.id
        limit 1;
        if elsewhere is not null then
            raise exception '% has another account here', elsewhere;
        end if;
    end if;
    execute format(
        'insert into %s (%s) select %s from jsonb_populate_recordset(null::%s, $1) %s',
        target, columns, columns, target,
        -- The account may exist already, as a member of another organization.
        case when target = 'identity.accounts'::regclass then 'on conflict (id) do nothing' end
    )
    using lines;
    get diagnostics imported = row_count;
    return imported;
end
$$;

comment on function app.import_rows(uuid, text, jsonb) is
    'Imports rows of one table from app.export_tenant, which all have the same columns; returns how many. The floor '
    'refuses a row of any other tenant.';

create function app.delete_tenant(tenant uuid) returns bigint
language plpgsql volatile
as $$
declare
    tenant_table record;
    deleted bigint := 0;
    here bigint;
begin
    perform app.set_tenant(tenant);
    set local app.restoring = 'on';
    -- So that the last owner can be deleted.
    update tenancy.organizations set status = 'deleted', deleted_at = now(), purge_after = now() where id = tenant;
    for tenant_table in
        select t.relation, t.tenant_column
        from app.tenant_tables() with ordinality as t (relation, tenant_column, position)
        order by t.position desc
    loop
        execute format('delete from %s where %I = $1', tenant_table.relation, tenant_table.tenant_column) using tenant;
        get diagnostics here = row_count;
        deleted := deleted + here;
    end loop;
    return deleted;
end
$$;

comment on function app.delete_tenant(uuid) is
    'Deletes every row of a tenant for good, its audit log too; returns how many. The accounts of its people stay, '
    'and their sessions, which no longer enter it.';

create function app.set_tenant_status(tenant uuid, wanted text) returns boolean
language plpgsql volatile
as $$
begin
    perform app.set_tenant(tenant);
    update tenancy.organizations set status = wanted, updated_at = now() where id = tenant and status <> 'deleted';
    return found;
end
$$;

comment on function app.set_tenant_status(uuid, text) is
    'Suspends a tenant or makes it active again; false if it does not exist or its owner has deleted it.';

create function app.adopt_rows(tenant uuid, wanted text, lines jsonb) returns bigint
language plpgsql volatile
as $$
declare
    target constant regclass := app.target_table(wanted);
    data jsonb := lines;
    columns text;
    added bigint;
begin
    perform app.set_tenant(tenant);
    -- A member is given by e-mail address: the account may exist already, with another id.
    if target = 'tenancy.members'::regclass then
        select jsonb_agg((l.line - 'email') || jsonb_build_object('account_id', a.id) order by l.position)
        into data
        from jsonb_array_elements(lines) with ordinality as l (line, position)
        left join identity.accounts as a on a.email = l.line ->> 'email';
    end if;
    columns := app.columns_of(target, data -> 0);
    if columns is null then
        execute format('insert into %s default values on conflict do nothing', target);
    else
        execute format(
            'insert into %s (%s) select %s from jsonb_populate_recordset(null::%s, $1) on conflict %s do nothing',
            target, columns, columns, target,
            -- A claim that overlaps, or another seat of a contact, is not a duplicate but an error: it must fail.
            case
                when target in ('scheduling.claims'::regclass, 'scheduling.appointments'::regclass)
                    then '(tenant_id, id)'
            end
        )
        using data;
    end if;
    get diagnostics added = row_count;
    return added;
end
$$;

comment on function app.adopt_rows(uuid, text, jsonb) is
    'Adds rows of another system, which all have the same columns, to a table of the tenant, except those that exist; '
    'returns how many were added. tenant_id is filled from the context.';
