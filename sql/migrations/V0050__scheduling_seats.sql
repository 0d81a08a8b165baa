-- A contact takes one seat of a group session, however it is booked.

-- Checked at the end of a statement: one may move several seats of a contact, each into the session that another
-- leaves.
alter table scheduling.appointments
add constraint appointments_contact_seat exclude using btree (
    tenant_id with =, provider_id with =, service_id with =, starts_at with =, contact_id with =
) where (seat is not null and status not in ('cancelled', 'declined', 'no_show')) deferrable initially immediate;

comment on constraint appointments_contact_seat on scheduling.appointments is
    'A contact takes one seat of a group session.';

create or replace function app.adopt_rows(tenant uuid, wanted text, lines jsonb) returns bigint
language plpgsql volatile
as $$
declare
    target constant regclass := app.target_table(wanted);
    data jsonb := lines;
    columns text;
    added bigint;
begin
    execute format('set local app.tenant_id = %L', tenant);
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
