-- $1 tenant_id, $2 provider id, $3 requested account; no row if it is linked to another provider
insert into scheduling.provider_link_requests (provider_id, account_id)
select $2, $3
where not exists (select from scheduling.providers as p where p.tenant_id = $1 and p.account_id = $3)
returning provider_id
