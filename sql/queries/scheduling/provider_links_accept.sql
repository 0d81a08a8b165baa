-- $1 organization, $2 provider id
select scheduling.accept_provider_link($1, $2) as accepted
