-- $1 provider id, $2 weekdays, $3 first minutes, $4 end minutes, $5 first dates, $6 last dates; parallel
-- arrays, one rule each
insert into scheduling.schedule_rules (provider_id, weekday, from_minute, to_minute, valid_from, valid_until)
select $1, rule.weekday, rule.from_minute, rule.to_minute, rule.valid_from, rule.valid_until
from
    unnest($2::smallint[], $3::smallint[], $4::smallint[], $5::date[], $6::date[])
    as rule (weekday, from_minute, to_minute, valid_from, valid_until)
