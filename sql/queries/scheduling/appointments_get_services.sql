-- $1 tenant_id, $2 id; the services of the appointment, in their order, and its contact
select
    a.contact_id,
    coalesce(
        (
            select array_agg(g.service_id order by g.position)
            from scheduling.appointment_segments as g
            where g.tenant_id = $1 and g.appointment_id = a.id
        ),
        array[a.service_id]
    ) as service_ids
from scheduling.appointments as a
where a.tenant_id = $1 and a.id = $2
