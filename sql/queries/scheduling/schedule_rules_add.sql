-- $1 provider id, $2 weekdays, $3 first minutes, $4 end minutes: one rule each, side by side
insert into scheduling.schedule_rules (provider_id, weekday, from_minute, to_minute)
select $1, rule.weekday, rule.from_minute, rule.to_minute
from unnest($2::smallint[], $3::smallint[], $4::smallint[]) as rule (weekday, from_minute, to_minute)
