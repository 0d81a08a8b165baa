-- $1 provider id; ends the link to an account, after providers_lock.sql
select scheduling.cut_provider_link($1) as cut
