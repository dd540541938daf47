#include "src/model/act_scales.h"

const char *const quant_point_names[N_QUANT_POINTS] = {"proj", "pooled", "tags", "lm",
	"attn_in", "attn_out", "ffn_in", "ffn_thin", "hidden", "hidden_thin"};

enum quant_point quant_point_of(enum tensor_kind weight)
{
	switch (weight) {
	case T_PROJ:
		return QP_PROJ;
	case T_INTENT_W:
		return QP_POOLED;
	case T_TAG_W:
		return QP_TAGS;
	case T_EMBED:
		return QP_LM;
	case T_WQ:
	case T_WK:
	case T_WV:
		return QP_ATTN_IN;
	case T_WO:
		return QP_ATTN_OUT;
	case T_W1:
	case T_W1_IN:
		return QP_FFN_IN;
	case T_W1_OUT:
		return QP_FFN_THIN;
	case T_W2:
	case T_W2_IN:
		return QP_HIDDEN;
	case T_W2_OUT:
		return QP_HIDDEN_THIN;
	default:
		return N_QUANT_POINTS;
	}
}

float act_scale(const struct act_scales *s, int layer, enum quant_point point)
{
	return s->of[layer + 1][point];
}
