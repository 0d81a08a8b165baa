-- no parameters; the newest migration this database has
select max(version) as version
from app.migrations
