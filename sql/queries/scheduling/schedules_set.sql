-- $1 provider id, $2 time zone; locks the row, so that concurrent replacements wait for each other
insert into scheduling.schedules (provider_id, time_zone)
values ($1, $2)
on conflict (tenant_id, provider_id) do update
set time_zone = excluded.time_zone, updated_at = now()
returning provider_id
