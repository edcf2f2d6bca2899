"""scikit-learn's own checks, also of settings off the defaults."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skloss.sparse.design_preconditioner import DesignPreconditioner
from skloss.sparse.preconditioned_lasso import PreconditionedLasso
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV

MODELS = [
    DesignPreconditioner(),
    DesignPreconditioner(support_size=1, threshold=0.9, center=False),
    PreconditionedLasso(),
    PreconditionedLasso(0.01, support_size=1, threshold=0.9, fit_intercept=False),
    PreconditionedLasso(0.1, n_nonzero_coefs=1, l2=0.1),
    PreconditionedLassoCV(),
    PreconditionedLassoCV(alphas=5, support_size=1, threshold=0.9, precondition=True),
    PreconditionedLassoCV(alphas=5, cv=3, n_nonzero_coefs="cv", one_se=True),
]


@parametrize_with_checks(MODELS)
def test_estimator(estimator, check):
    check(estimator)
