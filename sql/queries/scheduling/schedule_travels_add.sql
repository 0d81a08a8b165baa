-- $1 provider id, $2 first dates, $3 last dates, $4 time zones; parallel arrays, one time-zone override each
insert into scheduling.schedule_travels (provider_id, starts_on, ends_on, time_zone)
select $1, travel.starts_on, travel.ends_on, travel.time_zone
from unnest($2::date[], $3::date[], $4::text[]) as travel (starts_on, ends_on, time_zone)
