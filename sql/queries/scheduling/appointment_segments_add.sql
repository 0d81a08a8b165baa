-- $1 the services of visits (an array of objects)
insert into scheduling.appointment_segments (appointment_id, position, service_id, provider_id, starts_at, ends_at)
select s.appointment_id, s.position, s.service_id, s.provider_id, s.starts_at, s.ends_at
from
    jsonb_to_recordset($1) as s (
        appointment_id uuid, position smallint, service_id uuid, provider_id uuid, starts_at timestamptz,
        ends_at timestamptz
    )
