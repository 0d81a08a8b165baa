-- The tenant context of a transaction: who asks, for which organization, in what role. Everything the policies know.

create function app.enter(tenant uuid, account uuid, needs text) returns void
language plpgsql volatile
as $$
declare
    held text;
begin
    if tenant is null or account is null or app.roles_from(needs) is null then
        raise exception 'a tenant, an account and a known role are required' using errcode = 'AP401';
    end if;

    if nullif(current_setting('app.role', true), '') is not null then
        raise exception 'this transaction has entered a tenant already' using errcode = 'object_not_in_prerequisite_state';
    end if;

    -- SET LOCAL ends with the transaction, so a pooled connection forgets. Written this way (and not with set_config)
    -- the setting also reaches the nodes of a Citus cluster.
    execute format('set local app.tenant_id = %L', tenant);
    execute format('set local app.account_id = %L', account);

    -- The membership decides, not the token: whoever was removed, or whose organization was suspended, is out at once.
    select m.role
    into held
    from tenancy.members as m
    join tenancy.organizations as o on o.id = m.tenant_id
    where m.tenant_id = tenant and m.account_id = account and o.status = 'active';

    if held is null then
        raise exception 'no active membership' using errcode = 'AP401';
    end if;
    if not held = any (app.roles_from(needs)) then
        raise exception 'role too low' using errcode = 'AP403';
    end if;
    execute format('set local app.role = %L', held);
end
$$;

comment on function app.enter(uuid, uuid, text) is
    'Enters a tenant for the rest of the transaction. First statement of an explicit transaction, once, never in a savepoint. '
    'Fails with AP401 (not, or no longer, an active member) or AP403 (the member''s role ranks below `needs`); '
    'a transaction that failed to enter sees no rows.';

grant execute on function app.roles_from(text), app.enter(uuid, uuid, text) to appointd_api;
