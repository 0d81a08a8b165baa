-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit; null for any: $4 updated at or after, $5
-- ids, $6 e-mail address, $7 digits of the telephone number, $8 beginning of a name or an e-mail address in lower
-- case, $9 of a telephone number, $10 external id
with found as (
    select c.id
    from crm.contacts as c
    where c.tenant_id = $1 and c.name_key >= $8 and c.name_key < $8 || chr(1114111)
    union
    select c.id
    from crm.contacts as c
    where c.tenant_id = $1 and c.last_name_key >= $8 and c.last_name_key < $8 || chr(1114111)
    union
    select c.id
    from crm.contacts as c
    where c.tenant_id = $1 and c.email collate "C" >= $8 and c.email collate "C" < $8 || chr(1114111)
    union
    select c.id
    from crm.contacts as c
    -- A colon comes after all digits.
    where c.tenant_id = $1 and c.phone_digits >= $9 and c.phone_digits < $9 || ':'
)
select id, first_name, last_name, email, phone, account_id, external_id, metadata, created_at, updated_at
from crm.contacts
where
    tenant_id = $1 and id > $2 and (updated_at >= $4 or $4 is null) and (id = any ($5) or $5 is null)
    and (email collate "C" = $6 or $6 is null)
    and (phone_digits = $7 or $7 is null)
    and (external_id = $10 or $10 is null)
    and ($8 is null or id in (select f.id from found as f))
order by id
limit $3
