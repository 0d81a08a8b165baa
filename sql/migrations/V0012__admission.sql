-- A second helper beside app.build_wall: it admits a role of ours other than the server's to the rows of the tenant in
-- the context. Used for appointd_gate, where its functions work inside one organization, and for appointd_owner, which
-- exports, imports and deletes one organization at a time: both behind the same predicate as everybody.

create procedure app.admit(relation regclass, admitted name, commands text[], tenant_column name default 'tenant_id')
language plpgsql
as $$
declare
    tenant constant text := format(
        '%I = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', tenant_column
    );
    command text;
begin
    foreach command in array commands loop
        execute format(
            'create policy %I on %s as permissive for %s to %I %s %s',
            replace(admitted, 'appointd_', '') || '_' || command,
            relation,
            command,
            admitted,
            case when command <> 'insert' then format('using (%s)', tenant) end,
            case when command in ('insert', 'update', 'all') then format('with check (%s)', tenant) end
        );
    end loop;
end
$$;

comment on procedure app.admit(regclass, name, text[], name) is
    'Admits a role to the rows of the tenant in the context, for the commands named (select, insert, update, delete, all). Grants are separate.';
revoke execute on procedure app.admit(regclass, name, text[], name) from public;
