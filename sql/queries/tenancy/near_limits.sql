-- no parameters; what the organization has nearly as much of as its plan allows
select l.what as about, l.used as count, l.most::bigint as most, null::timestamptz as since
from tenancy.near_limits() as l
order by l.what
