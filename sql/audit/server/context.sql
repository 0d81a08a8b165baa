-- error: The context has a value on a new connection
--
-- A line in the configuration of the server that sets the parameter of the context makes every connection belong to an
-- organization from the beginning. (Use a new connection for this check.)

select
    format('setting %s', setting.name) as object,
    format('set to %s on a connection that entered nothing', current_setting(setting.name, true)) as found,
    format('-- take %s out of postgresql.conf and reload, or see roles/setting', setting.name) as fix
from (values ('backtrace_functions'), ('app.context')) as setting (name)
where nullif(current_setting(setting.name, true), '') is not null
order by 1
