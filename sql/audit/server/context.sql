-- error: A context is set before anybody entered
--
-- A line in the server's configuration that sets app.tenant_id, or another setting the policies read, makes every
-- connection belong to somebody from its beginning. (Look with a new connection: in one that has entered it is set.)

select
    format('setting %s', setting.name) as object,
    format('set to %s on a connection that entered nothing', current_setting(setting.name, true)) as found,
    format('-- take %s out of postgresql.conf and reload, or see roles/setting', setting.name) as fix
from (
    values ('app.tenant_id'), ('app.account_id'), ('app.role'), ('app.key_id'), ('app.appointment_id')
) as setting (name)
where nullif(current_setting(setting.name, true), '') is not null
order by 1
