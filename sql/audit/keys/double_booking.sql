-- error: Nothing prevents double bookings
--
-- Only these constraints decide whether a slot is free: no two claims of a resource overlap, no seat is taken twice,
-- and no person is booked by two organizations at once.

select
    wanted.relation || ' constraint ' || wanted.name as object,
    format('missing, or not what it was; expected: %s', wanted.definition) as found,
    format('alter table %s add constraint %s %s;', wanted.relation, wanted.name, wanted.definition) as fix
from (
    values
        (
            'scheduling.claims', 'claims_no_overlap',
            'EXCLUDE USING gist (tenant_id WITH =, resource_id WITH =, during WITH &&, group_session_id WITH <>)'
        ),
        (
            'scheduling.shared_claims', 'shared_claims_no_overlap',
            'EXCLUDE USING gist (account_id WITH =, during WITH &&, tenant_id WITH <>)'
        )
) as wanted (relation, name, definition)
where
    not exists (
        select
        from pg_constraint as k
        where
            k.conrelid = to_regclass(wanted.relation)
            and k.conname = wanted.name
            and pg_get_constraintdef(k.oid) = wanted.definition
            and exists (
                select
                from pg_index as i
                where i.indexrelid = k.conindid and i.indisvalid and i.indisready and i.indislive and i.indimmediate
            )
    )
union all
select
    'scheduling.claims index claims_seat_key',
    'missing, or not what it was: a seat of a session can be taken twice',
    'create unique index claims_seat_key on scheduling.claims (tenant_id, resource_id, group_session_id, seat) '
    'where capacity > 1;'
where
    not exists (
        select
        from pg_index as i
        where
            i.indexrelid = to_regclass('scheduling.claims_seat_key')
            and i.indisunique
            and i.indisvalid
            and i.indisready
            and i.indislive
            and pg_get_indexdef(i.indexrelid)
                like '% USING btree (tenant_id, resource_id, group_session_id, seat) WHERE (capacity > 1)'
    )
order by 1
