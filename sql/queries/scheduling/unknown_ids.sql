-- $1 tenant_id, $2 services, $3 provider or null, $4 contact or null, $5 providers, $6 resources; which do not exist
--
-- After a refusal, to name all of them. Services: their places in the list, from 0.
select
    array(
        select w.place::integer - 1
        from unnest($2::uuid[]) with ordinality as w (id, place)
        where not exists (select from scheduling.services as s where s.tenant_id = $1 and s.id = w.id)
        order by w.place
    ) as services,
    $3::uuid is not null
    and not exists (select from scheduling.providers as p where p.tenant_id = $1 and p.id = $3) as provider,
    $4::uuid is not null
    and not exists (select from crm.contacts as c where c.tenant_id = $1 and c.id = $4) as contact,
    exists (
        select
        from unnest($5::uuid[]) as w (id)
        where not exists (select from scheduling.providers as p where p.tenant_id = $1 and p.id = w.id)
    ) as providers,
    exists (
        select
        from unnest($6::uuid[]) as w (id)
        where not exists (
            select
            from scheduling.resources as r
            where r.tenant_id = $1 and r.id = w.id and r.kind in ('room', 'equipment')
        )
    ) as resources
