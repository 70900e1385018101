"""Well-known ports of services that do not speak HTTP."""

from __future__ import annotations

LONG_LIVED = {
    389: "LDAP",
    636: "LDAP",
    1433: "SQL Server",
    1521: "Oracle",
    1883: "MQTT",
    3306: "MySQL",
    3389: "RDP",
    4222: "NATS",
    5432: "PostgreSQL",
    5671: "AMQP",
    5672: "AMQP",
    6379: "Redis",
    6443: "Kubernetes API",
    8883: "MQTT",
    9042: "Cassandra",
    9092: "Kafka",
    22: "SSH",
    27017: "MongoDB",
    61616: "ActiveMQ",
}
"""Services whose connections are kept open and idle, by port."""

NOT_HTTP = {
    22: "SSH",
    25: "SMTP",
    389: "LDAP",
    1433: "SQL Server",
    1521: "Oracle",
    1883: "MQTT",
    3306: "MySQL",
    5432: "PostgreSQL",
    5672: "AMQP",
    6379: "Redis",
    8009: "AJP",
    9042: "Cassandra",
    11211: "memcached",
    26379: "Redis Sentinel",
    27017: "MongoDB",
    61616: "ActiveMQ",
}
"""Services that answer no request in HTTP, by port."""
