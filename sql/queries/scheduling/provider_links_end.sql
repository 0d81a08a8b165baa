-- $1 organization, $2 provider id
select scheduling.end_provider_link($1, $2) as ended
