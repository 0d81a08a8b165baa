-- $1 provider id, $2 dates, $3 intervals as [[first minutes], [end minutes]]; parallel arrays, one override each
insert into scheduling.schedule_overrides (provider_id, date, from_minutes, to_minutes)
select
    $1,
    override.date,
    array(select minute::smallint from jsonb_array_elements_text(override.intervals -> 0) as minute),
    array(select minute::smallint from jsonb_array_elements_text(override.intervals -> 1) as minute)
from unnest($2::date[], $3::jsonb[]) as override (date, intervals)
