-- $1 id, $2 frequency, $3 every, $4 occurrences, $5 time zone
insert into scheduling.series (id, frequency, every, occurrences, time_zone)
values ($1, $2, $3, $4, $5)
