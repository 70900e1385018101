"""How well nginxaudit predicts ``nginx -t``: accepted configurations, mutated at random, judged by both."""
