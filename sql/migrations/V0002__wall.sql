-- The wall: one helper writes every tenant table's policies, so that their text is the same to the letter everywhere.
--
-- A table behind the wall has
--   * row-level security enabled and forced (the owner is subject to it as well);
--   * `tenant_floor`, restrictive, for every command and every role: no later policy can open the table wider;
--   * one permissive policy per command for appointd_api, which repeats the tenant predicate (so that losing the floor
--     opens nothing either) and names the roles of members that may do it.
--
-- The tenant predicate compares with a sub-select on purpose: PostgreSQL then evaluates the setting once per statement
-- and never plans a cached statement for the tenant that happened to ask first. After its transaction a setting is the
-- empty string rather than null, hence nullif. Without a context the predicate is null, and there are no rows.

create function app.roles_from(lowest text) returns text[]
language sql immutable parallel safe
return case lowest
    when 'viewer' then array['viewer', 'staff', 'manager', 'admin', 'owner']
    when 'staff' then array['staff', 'manager', 'admin', 'owner']
    when 'manager' then array['manager', 'admin', 'owner']
    when 'admin' then array['admin', 'owner']
    when 'owner' then array['owner']
end;

comment on function app.roles_from(text) is
    'The roles of members that rank at least as high as the given one: viewer < staff < manager < admin < owner. Null for an unknown role.';

create procedure app.build_wall(
    relation regclass,
    reads text,
    inserts text default null,
    updates text default null,
    deletes text default null,
    tenant_column name default 'tenant_id'
)
language plpgsql
as $$
declare
    tenant constant text := format(
        '%I = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', tenant_column
    );
    command record;
    audience text;
begin
    execute format('alter table %s enable row level security', relation);
    execute format('alter table %s force row level security', relation);
    execute format(
        'create policy tenant_floor on %s as restrictive for all to public using (%s) with check (%s)',
        relation, tenant, tenant
    );
    for command in
        select *
        from (values ('select', reads), ('insert', inserts), ('update', updates), ('delete', deletes)) as c (name, lowest)
        where c.lowest is not null
    loop
        if app.roles_from(command.lowest) is null then
            raise exception 'unknown role %', command.lowest;
        end if;
        audience := format(
            '%s and (select current_setting(''app.role'', true)) = any (%L)', tenant, app.roles_from(command.lowest)
        );
        execute format(
            'create policy %I on %s as permissive for %s to appointd_api %s %s',
            command.lowest || '_' || command.name,
            relation,
            command.name,
            case when command.name <> 'insert' then format('using (%s)', audience) end,
            case when command.name in ('insert', 'update') then format('with check (%s)', audience) end
        );
    end loop;
end
$$;

comment on procedure app.build_wall(regclass, text, text, text, text, name) is
    'Puts a table behind the wall. Each of reads, inserts, updates and deletes is the lowest member role that may; null: nobody.';
revoke execute on procedure app.build_wall(regclass, text, text, text, text, name) from public;
