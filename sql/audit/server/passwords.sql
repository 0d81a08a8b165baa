-- warning: Passwords are transmitted or stored insecurely
--
-- md5 hashes can be used to sign in without the password, and a connection over a network without TLS shows every row
-- to eavesdroppers. (Loopback and Unix sockets need no TLS.)

select
    format('setting %s', s.name) as object,
    s.setting as found,
    case s.name
        when 'ssl' then 'alter system set ssl = on; -- with a certificate'
        else 'alter system set password_encryption = ''scram-sha-256''; -- and set the passwords again'
    end as fix
from pg_settings as s
where
    (s.name = 'password_encryption' and s.setting = 'md5')
    or (
        s.name = 'ssl'
        and s.setting = 'off'
        and current_setting('listen_addresses')
            !~ '^(|localhost|127\.0\.0\.1|::1|(localhost|127\.0\.0\.1|::1)(, *(localhost|127\.0\.0\.1|::1))+)$'
    )
order by 1
