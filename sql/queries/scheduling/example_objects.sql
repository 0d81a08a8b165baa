-- $1 tenant_id, $2 earliest start of the appointment. The first object of each kind, for examples: null if none exists.
select
    (select id from scheduling.services where tenant_id = $1 order by id limit 1) as service_id,
    (select id from crm.contacts where tenant_id = $1 order by id limit 1) as contact_id,
    (
        select id
        from scheduling.resources
        where tenant_id = $1 and kind in ('room', 'equipment')
        order by id
        limit 1
    ) as resource_id,
    (
        select id
        from scheduling.appointments
        where tenant_id = $1 and status = 'confirmed' and starts_at >= $2
        order by starts_at, id
        limit 1
    ) as appointment_id
