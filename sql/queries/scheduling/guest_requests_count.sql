-- $1 sha-256 of the network address, $2 sha-256 of the e-mail address or null
select scheduling.count_guest_request($1, $2)
