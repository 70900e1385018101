"""What the commands other than scan show: upstreams, graph, drill."""
