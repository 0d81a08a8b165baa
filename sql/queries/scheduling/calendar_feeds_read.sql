-- $1 organization id, $2 feed id, $3 sha-256 of the secret
--
-- Sent as appointd_door.
select
    feed_name, id, starts_at, ends_at, status, sequence as entry_sequence, created_at, updated_at as entry_updated_at,
    service_name, provider_name, contact_name, segments, time_zone
from scheduling.calendar_feed($1, $2, $3)
